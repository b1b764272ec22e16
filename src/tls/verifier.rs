//! Verifies a server's certificate: by WebPKI, or because it is itself among the trusted certificates.
//!
//! `openssl req -x509` makes a self-signed certificate that is marked as a CA's, and WebPKI accepts no CA certificate
//! from a server. If exactly this certificate is trusted, the server is; its names, dates and purpose are still checked.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::certificate::{CertificateFacts, digest};

#[derive(Debug)]
pub(crate) struct Verifier {
    chains: Arc<WebPkiServerVerifier>,
    /// SHA-256 of each trusted certificate.
    trusted: HashSet<[u8; 32]>,
}

impl Verifier {
    pub(crate) fn new(chains: Arc<WebPkiServerVerifier>, trusted: HashSet<[u8; 32]>) -> Self {
        Self { chains, trusted }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.chains
                .verify_server_cert(certificate, intermediates, name, ocsp_response, now);
        // WebPKI reports a presented CA certificate as `Other`.
        let is_other = matches!(
            verified,
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
        );
        if is_other && self.trusted.contains(&digest(certificate)) {
            return verify_own(certificate, name, now);
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// What is left to verify of a certificate that is trusted itself and is a CA's: who has its key is shown by
/// the handshake.
fn verify_own(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let facts = CertificateFacts::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < facts.validity.from.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > facts.validity.until.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    if !facts.is_ca || !facts.is_for_servers {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    Ok(ServerCertVerified::assertion())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
    };

    use super::super::TrustedCertificates;
    use super::*;

    const YEAR_2030: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_900_000_000));

    /// As `openssl req -x509` makes it, for `localhost` and the years from 2020 to 2040.
    fn params() -> CertificateParams {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        params
    }

    fn signed(params: &CertificateParams) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    /// Whether a client that trusts `trusted` takes `shown` from a server of this name.
    fn verify(
        trusted: &CertificateDer<'_>,
        shown: &CertificateDer<'_>,
        name: &str,
    ) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let pem = pem(trusted);
        std::fs::write(&path, pem).unwrap();
        let trusted = TrustedCertificates::in_file(&path).unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let verifier = trusted.verifier().unwrap();
        let verified = verifier.verify_server_cert(shown, &[], &name, &[], YEAR_2030);
        verified.map(|_| ()).map_err(|error| error.to_string())
    }

    fn pem(certificate: &CertificateDer<'_>) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(certificate);
        let begin = "-----BEGIN CERTIFICATE-----";
        format!("{begin}\n{text}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn exactly_the_certificate_that_is_trusted_is_taken() {
        let own = signed(&params());
        assert_eq!(verify(&own, &own, "localhost"), Ok(()));
        let wrong_name = verify(&own, &own, "example.org").unwrap_err();
        assert!(wrong_name.contains("example.org"), "{wrong_name}");
        // Another one that says the same of itself.
        verify(&own, &signed(&params()), "localhost").unwrap_err();
    }

    #[test]
    fn its_dates_and_its_purpose_count() {
        let mut old = params();
        old.not_after = date_time_ymd(2029, 1, 1);
        let mut early = params();
        early.not_before = date_time_ymd(2039, 1, 1);
        let mut for_clients = params();
        for_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        for params in [old, early, for_clients] {
            let certificate = signed(&params);
            verify(&certificate, &certificate, "localhost").unwrap_err();
        }
        let mut for_servers = params();
        for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = signed(&for_servers);
        assert_eq!(verify(&certificate, &certificate, "localhost"), Ok(()));
    }
}
