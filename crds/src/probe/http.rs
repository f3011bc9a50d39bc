//! The HTTP probe.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::loopback;
use crate::rules;
use crate::status_codes::StatusCodes;

/// Passes when an HTTP or HTTPS request is answered with an expected status and body. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.tls) || self.scheme == 'HTTPS'")
        .message("tls needs scheme: HTTPS")
        .field_path(".tls"),
    validation = Rule::new("!has(self.bodyRegex) || self.method != 'HEAD'")
        .message("an answer to HEAD has no body: write method: GET, or remove bodyRegex")
        .field_path(".bodyRegex")
)]
pub struct HttpProbe {
    /// `HTTP` (default) or `HTTPS`.
    #[serde(default)]
    pub scheme: HttpScheme,
    /// The address or name to connect to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::host())]
    pub host: String,
    /// The port: 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The path with its query, beginning with a slash. Default `/`.
    #[serde(default = "root_path")]
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(
        validation = Rule::new("self.matches('^/[^ #]*$')")
            .message("must begin with / and contain neither space nor #, such as /healthz?full=1")
    )]
    pub path: String,
    /// `GET` (default) or `HEAD`.
    #[serde(default)]
    pub method: HttpMethod,
    /// The Host header, such as `www.example.org`. Default: `host` with its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 259))]
    pub host_header: Option<String>,
    /// More headers of the request, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<HttpHeader>,
    /// Status codes that pass, single or as ranges, at most 16. Default `["200-399"]`. Example: `["200-299", "404"]`.
    #[serde(default = "successful_status_codes")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub status_codes: Vec<StatusCodes>,
    /// A regular expression (the syntax of RE2, without look-around) that must match somewhere in the first 1 MiB of the
    /// body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(
        // Compiling is all that is asked for; an error in the expression makes the whole rule fail.
        validation = Rule::new("size([''.matches(self)]) == 1")
            .message("must be a regular expression in the syntax of RE2")
    )]
    pub body_regex: Option<String>,
    /// How the server's certificate is verified. Only with scheme `HTTPS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// The scheme of an HTTP request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpScheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

/// The method of an HTTP request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Asks for head and body.
    #[default]
    Get,
    /// Asks for the head alone.
    Head,
}

/// A header of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpHeader {
    /// The name, such as `X-Probe`.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9!#$%&*+.^_`|~-]+$')")
            .message("must be the name of a header, such as X-Probe, without colon and space")
    )]
    pub name: String,
    /// The value.
    #[schemars(length(max = 4096))]
    #[x_kube(
        validation = Rule::new("self.matches('^[ -~]*$')").message("must be one line of printable ASCII characters")
    )]
    pub value: String,
}

/// How the certificate of an HTTPS server is verified. Default: by the certificate authorities of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = rules::at_most_one_of(&["caFile", "caBundle"]),
    validation = Rule::new("!self.insecureSkipVerify || !(has(self.caFile) || has(self.caBundle))")
        .message("nothing is verified with insecureSkipVerify: remove it, or remove caFile and caBundle")
        .field_path(".insecureSkipVerify")
)]
pub struct Tls {
    /// Accepts any certificate. Default false.
    #[serde(default)]
    pub insecure_skip_verify: bool,
    /// A file on the node with trusted certificates in PEM form, by its absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 4096))]
    #[x_kube(validation = rules::absolute_path())]
    pub ca_file: Option<String>,
    /// Trusted certificates in PEM form, beginning with `-----BEGIN CERTIFICATE-----`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle: Option<String>,
    /// The name in the certificate and in the TLS handshake (SNI). Default: `hostHeader` without its port, else `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,
}

fn root_path() -> String {
    "/".to_owned()
}

fn successful_status_codes() -> Vec<StatusCodes> {
    vec![StatusCodes::SUCCESS_OR_REDIRECT]
}
