//! A real nginx on a node, which answers every request with the node's name.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::host::Host;
use super::process::{Exit, Process};
use super::{program, scratch, wait};

/// A running nginx: one master process, one worker.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it on `host`, listening on `port` of every address of both families, and waits until its worker answers.
    pub fn start(host: &Host, port: u16) -> Result<Self> {
        Self::start_in(scratch::folder("nginx")?, host, port, Protocol::Http)
    }

    /// As [`Nginx::start`], with TLS: `certificate` and `key` are in PEM form.
    pub fn start_tls(host: &Host, port: u16, certificate: &str, key: &str) -> Result<Self> {
        let folder = scratch::folder("nginx")?;
        for (name, pem) in [("certificate.pem", certificate), ("key.pem", key)] {
            fs::write(folder.path().join(name), pem).with_context(|| format!("cannot write {name}"))?;
        }
        Self::start_in(folder, host, port, Protocol::Https)
    }

    fn start_in(folder: TempDir, host: &Host, port: u16, protocol: Protocol) -> Result<Self> {
        let path = folder.path().join("nginx.conf");
        fs::write(&path, configuration(host.name(), port, protocol)).context("cannot write nginx.conf")?;
        let mut command = program::command("nginx");
        command.arg("-p").arg(folder.path()).arg("-c").arg(&path).args(["-e", "stderr"]);
        let process = host.spawn("nginx", command)?;
        let nginx = Self { process, _folder: folder };
        wait::until("nginx answers", Duration::from_secs(10), || answers(host, port, protocol))?;
        Ok(nginx)
    }

    /// Kills master and worker at once (SIGKILL).
    pub fn kill(&self) -> Result<Exit> {
        self.process.kill_group()
    }

    /// The master process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Http,
    Https,
}

impl Protocol {
    fn listen_option(self) -> &'static str {
        match self {
            Self::Http => "",
            Self::Https => " ssl",
        }
    }

    fn certificate(self) -> &'static str {
        match self {
            Self::Http => "",
            Self::Https => " ssl_certificate certificate.pem;\n ssl_certificate_key key.pem;\n",
        }
    }

    /// The answer to a request without TLS: enough to know that it runs.
    fn plain_answer(self) -> &'static str {
        match self {
            Self::Http => "HTTP/1.1 200 ",
            Self::Https => "HTTP/1.1 400 ",
        }
    }
}

/// Relative paths lie below the prefix, a folder of this nginx alone.
fn configuration(name: &str, port: u16, protocol: Protocol) -> String {
    let (certificate, option) = (protocol.certificate(), protocol.listen_option());
    format!(
        "daemon off;\nuser root;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n access_log off;\n client_body_temp_path body;\n proxy_temp_path proxy;\n\
         fastcgi_temp_path fastcgi;\n uwsgi_temp_path uwsgi;\n scgi_temp_path scgi;\n\
         {certificate} server {{\n  listen {port}{option};\n  listen [::]:{port}{option};\n\
         \x20 location / {{ return 200 \"{name}\\n\"; }}\n }}\n}}\n"
    )
}

fn answers(host: &Host, port: u16, protocol: Protocol) -> Result<bool> {
    host.namespace().run(|| Ok(request(port).is_ok_and(|answer| answer.starts_with(protocol.plain_answer()))))
}

fn request(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
