//! TLS by rustls on ring: the certificates that clients trust (`trusted`, `verifier`), explanations of failures
//! (`failure`), and the certificate of the service.
//!
//! reqwest is built without a crypto provider, so every client is made here.

mod certificate;
mod failure;
mod trusted;
mod verifier;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use reqwest::{ClientBuilder, redirect};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use certificate::CertificateFacts;
pub(crate) use certificate::Validity;
pub(crate) use failure::reason;
pub(crate) use trusted::TrustedCertificates;

const VERSIONS: &str = "ring supports the default TLS versions of rustls";

/// Returns the TLS configuration of a client that trusts these certificates.
pub(crate) fn client_config(trusted: TrustedCertificates) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect(VERSIONS);
    match trusted.verifier() {
        Some(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth(),
        None => builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
    }
}

/// Returns the builder of a client that trusts these certificates. It follows no redirects, because tokens and
/// contents are for the named server alone.
pub(crate) fn client(trusted: TrustedCertificates) -> ClientBuilder {
    ClientBuilder::new()
        .redirect(redirect::Policy::none())
        .tls_backend_preconfigured(client_config(trusted))
}

/// Returns the TLS configuration of the service: TLS 1.2 and 1.3, HTTP/1.1. Reads both files.
///
/// # Errors
/// A sentence, without the key, if a file cannot be used.
pub(crate) fn server(certificate: &Path, key: &Path) -> Result<ServerConfig, String> {
    let chain = certificates(certificate)?;
    let shown = key.display();
    let text = fs::read(key).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let private = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| format!("{shown}: expected a private key in PEM"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect(VERSIONS)
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| {
            let certificate = certificate.display();
            format!("{certificate} and {shown} do not make a certificate and its key: {error}")
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Returns the validity of the first certificate of a PEM file.
///
/// # Errors
/// A sentence, if the file cannot be read.
pub(crate) fn validity(certificate: &Path) -> Result<Validity, String> {
    let chain = certificates(certificate)?;
    let shown = certificate.display();
    match CertificateFacts::read(&chain[0]) {
        Some(facts) => Ok(facts.validity),
        None => Err(format!(
            "{shown}: expected an X.509 certificate with its dates"
        )),
    }
}

/// Reads the certificates of a PEM file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let text = fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(format!("{shown}: expected certificates in PEM")),
    }
}
