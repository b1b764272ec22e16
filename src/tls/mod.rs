//! TLS by rustls on ring: whom the clients in this program trust (`trusted`, `verifier`), what is said where they
//! do not (`failure`), and what the service itself shows.
//!
//! reqwest is built without a provider of its own, so every client begins here.

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

const VERSIONS: &str = "ring speaks the versions that rustls thinks safe";

/// How a client that trusts these certificates speaks TLS.
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

/// A client that trusts these certificates. It follows no redirects: what its requests carry, tokens and
/// contents, is for the server that was named.
pub(crate) fn client(trusted: TrustedCertificates) -> ClientBuilder {
    ClientBuilder::new()
        .redirect(redirect::Policy::none())
        .tls_backend_preconfigured(client_config(trusted))
}

/// How the service speaks TLS: TLS 1.2 and 1.3, HTTP/1.1. Reads both files.
///
/// # Errors
/// A sentence, without anything of the key, when one of them cannot be used.
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

/// When the first certificate of a PEM file may be used. Reads it.
///
/// # Errors
/// A sentence, when it cannot be read.
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

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let text = fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(format!("{shown}: expected certificates in PEM")),
    }
}
