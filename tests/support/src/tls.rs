//! Servers that speak TLS, and the authorities that vouch for them.

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A server's certificate, its key, and the authority that vouches for it, as PEM.
pub struct Pem {
    pub certificate: String,
    pub key: String,
    pub authority: String,
}

/// A certificate for 127.0.0.1.
pub fn certified_pem() -> Pem {
    let (server, key, authority) = certificate();
    Pem {
        certificate: server.pem(),
        key: key.serialize_pem(),
        authority,
    }
}

/// A certificate that has signed itself, as `openssl req -x509` makes it: that of a CA, for 127.0.0.1; its own
/// authority.
pub fn self_signed_pem() -> Pem {
    let (certificate, key) = self_signed_certificate();
    Pem {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        authority: certificate.pem(),
    }
}

/// The same as a server's settings, and the PEM of the certificate.
pub fn self_signed() -> (ServerConfig, String) {
    let (certificate, key) = self_signed_certificate();
    (server(&certificate, &key), certificate.pem())
}

fn self_signed_certificate() -> (Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.self_signed(&key).expect("a certificate"), key)
}

fn certificate() -> (Certificate, KeyPair, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("an authority");
    let issuer = Issuer::new(params, key);

    let server_key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("parameters");
    let server = params
        .signed_by(&server_key, &issuer)
        .expect("a certificate");
    (server, server_key, authority.pem())
}

/// A server's settings, and the PEM of the authority that vouches for it.
pub fn certified() -> (ServerConfig, String) {
    let (certificate, key, authority) = certificate();
    (server(&certificate, &key), authority)
}

fn server(certificate: &Certificate, key: &KeyPair) -> ServerConfig {
    let private = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private.into());
    config.expect("a certificate and its key")
}
