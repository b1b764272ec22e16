//! TLS for the clients in this program: rustls on ring, and the authorities that they trust.
//!
//! reqwest is built without a provider of its own, so every client begins here.

use std::sync::Arc;

use reqwest::ClientBuilder;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// A client that trusts these authorities.
pub fn client(authorities: RootCertStore) -> ClientBuilder {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks the versions that rustls thinks safe")
        .with_root_certificates(authorities)
        .with_no_client_auth();
    ClientBuilder::new().tls_backend_preconfigured(config)
}

/// The authorities that the operating system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them.
/// Reads files. None at all is no error here: then no server is trusted.
pub fn usual_authorities() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(found.certs);
    authorities
}
