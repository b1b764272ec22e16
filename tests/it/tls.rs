//! Whom a webhook trusts.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::support::{Backend, Setup};

/// A server's settings, and the PEM of the authority that vouches for it.
fn certified() -> (ServerConfig, String) {
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
    let private = PrivatePkcs8KeyDer::from(server_key.serialize_der());
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], private.into());
    (config.expect("a certificate and its key"), authority.pem())
}

#[tokio::test]
async fn a_server_is_trusted_only_if_an_authority_vouches_for_it() {
    let (config, authority) = certified();
    let backend = Backend::start_secure(config).await;
    let url = backend.url();
    let setup = Setup::new().table(&format!(
        "[processors.wary]\nkind = \"webhook\"\nurl = \"{url}\"\n\
         [processors.trusting]\nkind = \"webhook\"\nurl = \"{url}\"\nca_file = \"ca.pem\"\n\
         [processors.lost]\nkind = \"webhook\"\nurl = \"{url}\"\nca_file = \"none.pem\"\n"
    ));
    std::fs::write(setup.folder().join("ca.pem"), authority).expect("a file");
    let service = setup.start().await;

    let id = service.submit_to("wary", "").await;
    assert!(
        backend.try_next().await.is_none(),
        "a request to a stranger"
    );
    let task = service.finished(&id).await;
    let error = task["error"].as_str().expect("an error");
    assert!(
        error.starts_with("cannot connect: invalid peer certificate"),
        "{error}"
    );

    let id = service.submit_to("trusting", "").await;
    backend.next().await.answer("200 OK", "", "welcome").await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "welcome", "{task}");

    let id = service.submit_to("lost", "").await;
    let task = service.finished(&id).await;
    let error = task["error"].as_str().expect("an error");
    assert!(error.contains("`none.pem`"), "{error}");
    service.ends_well().await;
}
