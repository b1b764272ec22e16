//! Whom a webhook trusts.

use support::{Backend, Setup, certified, self_signed};

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

#[tokio::test]
async fn a_server_that_signed_itself_is_trusted_by_its_own_certificate() {
    let (config, certificate) = self_signed();
    let (_, other) = self_signed();
    let backend = Backend::start_secure(config).await;
    let url = backend.url();
    let setup = Setup::new().table(&format!(
        "[processors.trusting]\nkind = \"webhook\"\nurl = \"{url}\"\nca_file = \"own.pem\"\n\
         [processors.wary]\nkind = \"webhook\"\nurl = \"{url}\"\nca_file = \"other.pem\"\n"
    ));
    for (name, text) in [("own.pem", certificate), ("other.pem", other)] {
        std::fs::write(setup.folder().join(name), text).expect("a file");
    }
    let service = setup.start().await;
    let id = service.submit_to("trusting", "").await;
    backend.next().await.answer("200 OK", "", "welcome").await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "welcome", "{task}");

    // What it says of itself helps nobody else.
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
    assert!(error.ends_with("with `ca_file`"), "{error}");
    service.ends_well().await;
}
