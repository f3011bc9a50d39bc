//! HTTP checks over TLS, against a real nginx: whose certificates are accepted, for which name, from which address.

use std::fs;

use anyhow::{Context, Result};
use holdfast_tests::lab::{Nginx, scratch};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::support::duo::Duo;
use crate::support::manifest::{health_check, web};
use crate::support::timing::LONG;

const PORT: u16 = 7443;
const NAME: &str = "www.example.org";

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// All of them have the same name, so only their keys tell them apart.
    fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Lab");
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Starts nginx on `a` with a certificate for `name`.
    fn serve(&self, duo: &Duo, name: &str) -> Result<Nginx> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, &self.0)?;
        Nginx::start_tls(&duo.a.host, PORT, &certificate.pem(), &key.serialize_pem())
    }
}

/// Node `a` with a check of this `http` probe, whose `tls` trusts the authority of the file that is returned.
fn scene(authority: &Authority, probe: &str) -> Result<(Duo, TempDir)> {
    let folder = scratch::folder("trust")?;
    let file = folder.path().join("ca.pem");
    fs::write(&file, authority.pem()).context("cannot write the authority")?;
    let check = health_check(
        "page",
        &format!(
            "http: {{scheme: HTTPS, port: {PORT}, statusCodes: [\"200\"], tls: {{caFile: {}}}{probe}}}\n\
             interval: 200ms\nrise: 1\nfall: 1\n",
            file.display()
        ),
    );
    Ok((Duo::new(&[web("healthChecks: [{name: page}]\n"), check])?, folder))
}

/// Waits until the check fails with this message.
fn wait_for_failure(duo: &Duo, message: &str) -> Result<()> {
    let fails = |status: &holdfast_tests::lab::AgentStatus| {
        status.health_check("page").is_some_and(|check| {
            check.passing == Some(false) && check.message.as_deref().is_some_and(|said| said.contains(message))
        })
    };
    duo.a.wait_until(message, LONG, fails).map(drop)
}

#[test]
fn a_certificate_that_cannot_be_trusted_any_more_is_a_fault_until_it_is_replaced() -> Result<()> {
    let (trusted, other) = (Authority::new()?, Authority::new()?);
    let (mut duo, _trust) = scene(&trusted, &format!(", hostHeader: {NAME}"))?;
    let nginx = trusted.serve(&duo, NAME)?;
    duo.a.start_as("MASTER")?;

    nginx.kill()?;
    let nginx = other.serve(&duo, NAME)?;
    wait_for_failure(&duo, "the certificate comes from an authority that is not trusted")?;
    duo.a.wait_for("web", "FAULT")?;

    nginx.kill()?;
    let _nginx = trusted.serve(&duo, NAME)?;
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}

#[test]
fn a_certificate_for_another_name_is_a_fault() -> Result<()> {
    let authority = Authority::new()?;
    let (mut duo, _trust) = scene(&authority, &format!(", hostHeader: {NAME}"))?;
    let _nginx = authority.serve(&duo, "mail.example.org")?;
    duo.a.start()?;
    wait_for_failure(&duo, &format!("the certificate is not for {NAME}"))?;
    duo.a.wait_for("web", "FAULT")?;
    Ok(())
}

#[test]
fn the_authority_can_be_replaced_while_the_agent_runs() -> Result<()> {
    let (old, new) = (Authority::new()?, Authority::new()?);
    let (mut duo, trust) = scene(&old, &format!(", hostHeader: {NAME}"))?;
    let _nginx = new.serve(&duo, NAME)?;
    duo.a.start()?;
    wait_for_failure(&duo, "the certificate comes from an authority that is not trusted")?;
    fs::write(trust.path().join("ca.pem"), format!("{}{}", old.pem(), new.pem()))?;
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}

#[test]
fn the_server_may_be_elsewhere_and_named_by_its_address() -> Result<()> {
    let authority = Authority::new()?;
    // The other address of the same node.
    let (mut duo, _trust) = scene(&authority, ", host: \"fd77::1\"")?;
    let _nginx = authority.serve(&duo, "fd77::1")?;
    duo.a.start_as("MASTER")?;
    let status = duo.a.status()?;
    let check = status.health_check("page").context("no check")?;
    assert_eq!(check.passing, Some(true), "{check:?}");
    Ok(())
}
