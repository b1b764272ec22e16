//! The certificates that a client trusts.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;

use super::certificate::digest;
use super::certificates;
use super::verifier::Verifier;

/// The certificates that a client trusts: CA certificates, and self-signed server certificates.
#[derive(Clone, Debug)]
pub(crate) struct TrustedCertificates {
    roots: RootCertStore,
    /// SHA-256 of each certificate.
    digests: HashSet<[u8; 32]>,
}

impl TrustedCertificates {
    /// Trusts no server.
    pub(crate) fn none() -> Self {
        Self {
            roots: RootCertStore::empty(),
            digests: HashSet::new(),
        }
    }

    /// Trusts the CA certificates of the operating system; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them. Reads
    /// files. If there are none, no server is trusted.
    pub(crate) fn usual() -> Self {
        let mut trusted = Self::none();
        for certificate in rustls_native_certs::load_native_certs().certs {
            // A certificate that cannot be parsed is skipped.
            let _ = trusted.add(certificate);
        }
        trusted
    }

    /// Trusts the certificates of a PEM file. Reads it.
    ///
    /// # Errors
    /// A sentence, if the file cannot be read or has no certificate.
    pub(crate) fn in_file(path: &Path) -> Result<Self, String> {
        let mut trusted = Self::none();
        trusted.add_file(path)?;
        Ok(trusted)
    }

    /// Adds the certificates of a PEM file. Reads it.
    ///
    /// # Errors
    /// As [`TrustedCertificates::in_file`].
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<(), String> {
        for certificate in certificates(path)? {
            let added = self.add(certificate);
            added.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }

    fn add(&mut self, certificate: CertificateDer<'_>) -> Result<(), rustls::Error> {
        let digest = digest(&certificate);
        self.roots.add(certificate.into_owned())?;
        self.digests.insert(digest);
        Ok(())
    }

    /// Returns the verifier of a handshake; `None` if no server is trusted.
    pub(crate) fn verifier(self) -> Option<Arc<dyn ServerCertVerifier>> {
        let provider = Arc::new(ring::default_provider());
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots), provider);
        // Building fails if there are no roots.
        let chains = chains.build().ok()?;
        Some(Arc::new(Verifier::new(chains, self.digests)))
    }
}
