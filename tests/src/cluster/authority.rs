//! The cluster's certificate authority, and the key that signs the tokens of service accounts.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use super::access::Credential;

/// Paths of a certificate and of its key, both PEM.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Signs certificates for servers and users; writes them into one folder.
#[derive(Debug)]
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
    signed: AtomicU32,
}

impl Authority {
    /// A new authority, with its files in `folder`, which it makes.
    pub(super) fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut params = named("holdfast tests", None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("cannot make a key")?;
        let issuer = CertifiedIssuer::self_signed(params, key).context("cannot sign the authority's certificate")?;
        let authority = Self { issuer, folder, signed: AtomicU32::new(0) };
        authority.write("ca.crt", &authority.issuer.pem())?;
        authority.write("ca.key", &authority.issuer.key().serialize_pem())?;
        let tokens = KeyPair::generate().context("cannot make a key")?;
        authority.write("service-accounts.key", &tokens.serialize_pem())?;
        authority.write("service-accounts.pub", &tokens.public_key_pem())?;
        Ok(authority)
    }

    /// The path of one of its files.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The authority's own certificate in DER.
    pub(super) fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// A certificate for a server with these names and addresses; it may also be a client as `user`.
    pub(super) fn server(&self, user: &str, group: Option<&str>, names: &[String]) -> Result<Certificate> {
        let mut params = CertificateParams::new(names).context("not names of a server")?;
        params.distinguished_name = subject(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// A certificate by which a client is `user` in `group`.
    pub(super) fn credential(&self, user: &str, group: Option<&str>) -> Result<Credential> {
        let mut params = named(user, group)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let Certificate { certificate, key } = self.sign(params)?;
        Ok(Credential::Certificate { certificate, key })
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Certificate> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().context("cannot make a key")?;
        let signed = params.signed_by(&key, &self.issuer).context("cannot sign a certificate")?;
        let name = self.signed.fetch_add(1, Ordering::Relaxed);
        Ok(Certificate {
            certificate: self.write(&format!("{name}.crt"), &signed.pem())?,
            key: self.write(&format!("{name}.key"), &key.serialize_pem())?,
        })
    }

    fn write(&self, name: &str, pem: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, pem).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn named(user: &str, group: Option<&str>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).context("not the names of a certificate")?;
    params.distinguished_name = subject(user, group);
    Ok(params)
}

/// The API server takes the common name for the user, and an organization for a group.
fn subject(user: &str, group: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, user);
    if let Some(group) = group {
        name.push(DnType::OrganizationName, group);
    }
    name
}
