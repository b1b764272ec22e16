//! The certificates that a client trusts.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::certificates;
use super::verifier::Verifier;

/// The certificates that a client trusts: of CAs, and of servers that have made their own.
#[derive(Clone, Debug)]
pub(crate) struct TrustedCertificates {
    roots: RootCertStore,
    /// The SHA-256 of each of them.
    digests: HashSet<[u8; 32]>,
}

impl TrustedCertificates {
    /// No server is trusted.
    pub(crate) fn none() -> Self {
        Self {
            roots: RootCertStore::empty(),
            digests: HashSet::new(),
        }
    }

    /// Those that the operating system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them. Reads
    /// files. None at all is no error here: then no server is trusted.
    pub(crate) fn usual() -> Self {
        let mut trusted = Self::none();
        for certificate in rustls_native_certs::load_native_certs().certs {
            // One that cannot be parsed is trusted by nobody.
            let _ = trusted.add(certificate);
        }
        trusted
    }

    /// Those in a PEM file. Reads it.
    ///
    /// # Errors
    /// A sentence, when it cannot be read or has no certificate.
    pub(crate) fn in_file(path: &Path) -> Result<Self, String> {
        let mut trusted = Self::none();
        trusted.add_file(path)?;
        Ok(trusted)
    }

    /// Trusts those in a PEM file too. Reads it.
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

    /// What a handshake asks whether it may go on; `None` where nobody is trusted.
    pub(crate) fn verifier(self) -> Option<Arc<dyn ServerCertVerifier>> {
        let provider = Arc::new(ring::default_provider());
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots), provider);
        // It is an error that there are no roots.
        let chains = chains.build().ok()?;
        Some(Arc::new(Verifier::new(chains, self.digests)))
    }
}

pub(crate) fn digest(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}
