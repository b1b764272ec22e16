//! The processors `webhook`, `llm` and `worker`.

use std::path::PathBuf;
use std::time::Duration;

use super::{Setup, setup};
use crate::config::{LlmSettings, ProcessorKind, Secret, WebhookSettings};

/// One processor `a` with these lines, the first of which is line 2.
fn processor(lines: &str) -> Setup {
    setup().toml(&format!("[processors.a]\n{lines}"))
}

fn kind(lines: &str) -> ProcessorKind {
    processor(lines).settings().processors["a"].kind.clone()
}

fn webhook(lines: &str) -> WebhookSettings {
    match kind(&format!("kind = 'webhook'\n{lines}")) {
        ProcessorKind::Webhook(webhook) => webhook,
        other => panic!("{other:?}"),
    }
}

fn llm(lines: &str) -> LlmSettings {
    match kind(&format!("kind = 'llm'\n{lines}")) {
        ProcessorKind::Llm(llm) => llm,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_webhook_has_all_its_settings() {
    let webhook = webhook(
        "url = 'https://example.org/hook?token=private'\n\
         secret_env = 'HOOK_SECRET'\n\
         headers = { Authorization = 'Bearer private', X-Empty = '' }\n\
         ca_file = 'ca.pem'\n\
         response_limit_bytes = 2048\n\
         rate = '30/m'\n",
    );

    assert_eq!(webhook.url, "https://example.org/hook?token=private");
    assert_eq!(webhook.secret, Some(Secret::Env("HOOK_SECRET".to_owned())));
    assert_eq!(webhook.headers["Authorization"], "Bearer private");
    assert_eq!(webhook.headers["X-Empty"], "");
    assert_eq!(webhook.ca_file, Some(PathBuf::from("ca.pem")));
    assert_eq!(webhook.response_limit_bytes, 2048);
    let shown = format!("{webhook:?}");
    assert!(!shown.contains("private"), "{shown}");
    assert!(shown.contains("Authorization"), "{shown}");
}

#[test]
fn a_webhook_needs_an_address_alone() {
    let webhook = webhook("url = 'http://[::1]:9000'");

    assert_eq!(webhook.secret, None);
    assert!(webhook.headers.is_empty());
    assert_eq!(webhook.ca_file, None);
    assert_eq!(webhook.response_limit_bytes, 1 << 20);
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let webhook = webhook("url = 'http://a'\nsecret_file = '/run/secrets/hook'");

    let file = Secret::File("/run/secrets/hook".into());
    assert_eq!(webhook.secret, Some(file));
}

#[test]
fn an_llm_has_all_its_settings() {
    let llm = llm("base_url = 'http://localhost:11434/v1'\n\
         model = 'llama3.2'\n\
         system = 'Be private.'\n\
         api_key_file = 'key'\n\
         temperature = 0\n\
         max_tokens = 500\n\
         tokens_per_minute = 90_000\n\
         ca_file = 'ca.pem'\n");

    assert_eq!(llm.base_url, "http://localhost:11434/v1");
    assert_eq!(llm.model, "llama3.2");
    assert_eq!(llm.system.as_deref(), Some("Be private."));
    assert_eq!(llm.api_key, Some(Secret::File("key".into())));
    assert_eq!(llm.temperature, Some(0.0));
    assert_eq!(llm.max_tokens, Some(500));
    assert_eq!(llm.tokens_per_minute, Some(90_000));
    assert_eq!(llm.ca_file, Some(PathBuf::from("ca.pem")));
    assert!(!format!("{llm:?}").contains("private"));
}

#[test]
fn an_llm_needs_an_address_and_a_model_alone() {
    let lines = "base_url = 'http://localhost/v1'\nmodel = 'm'";
    let bare = llm(lines);

    assert_eq!(
        (bare.system, bare.api_key, bare.ca_file),
        (None, None, None)
    );
    assert_eq!(bare.temperature, None);
    assert_eq!((bare.max_tokens, bare.tokens_per_minute), (None, None));

    let with_key = llm(&format!("{lines}\napi_key_env = 'KEY'"));
    assert_eq!(with_key.api_key, Some(Secret::Env("KEY".to_owned())));
}

#[test]
fn what_calls_another_service_has_a_timeout() {
    const WEBHOOK: &str = "kind = 'webhook'\nurl = 'http://a'";
    const LLM: &str = "kind = 'llm'\nbase_url = 'http://a'\nmodel = 'm'";
    for (lines, seconds) in [
        (WEBHOOK, Some(600)),
        (LLM, Some(600)),
        (&format!("{WEBHOOK}\ntimeout = 5"), Some(5)),
        (&format!("{LLM}\ntimeout = 86400"), Some(86_400)),
        ("kind = 'worker'", None),
        ("kind = 'command'\nprogram = 'true'", None),
    ] {
        let settings = processor(lines).settings();
        let expected = seconds.map(Duration::from_secs);
        assert_eq!(settings.processors["a"].timeout, expected, "{lines}");
    }
}

#[test]
fn headers_that_frame_a_request_or_sign_it_are_not_for_settings() {
    for name in [
        "Content-Length",
        "transfer-encoding",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Webhook-Id",
        "webhook-signature",
        "venom-attempt",
    ] {
        let lines = format!("kind = 'webhook'\nurl = 'http://a'\nheaders = {{ {name} = '5' }}");
        let mistake = processor(&lines).mistake();
        let begin = format!(
            "`processors.a.headers` in HERE/venom.toml, line 4: found the name \"{name}\", expected"
        );
        assert!(mistake.starts_with(&begin), "{mistake}");
    }
    // Of a virtual host, the name is the user's to say.
    let headers = webhook("url = 'http://a'\nheaders = { Host = 'b' }").headers;
    assert_eq!(headers["Host"], "b");
}

#[test]
fn a_worker_has_a_lease() {
    for (lines, seconds) in [
        ("kind = 'worker'", 60),
        ("kind = 'worker'\nlease = 1", 1),
        ("kind = 'Worker'\nlease = 86400", 86_400),
    ] {
        let ProcessorKind::Worker(worker) = kind(lines) else {
            panic!("no worker: {lines}");
        };
        assert_eq!(worker.lease, Duration::from_secs(seconds));
    }
}

#[test]
fn an_address_is_one_of_the_web_without_credentials() {
    for url in [
        "localhost:9000",
        "/hook",
        "ftp://example.org",
        "http://",
        "https://user:private@example.org",
        "https://private@example.org",
        "",
    ] {
        for lines in [
            format!("kind = 'webhook'\nurl = '{url}'"),
            format!("kind = 'llm'\nbase_url = '{url}'"),
        ] {
            let mistake = processor(&lines).mistake();
            assert!(
                mistake.ends_with(
                    "text, expected an address that begins with http:// or https:// and has no \
                     user or password in it"
                ),
                "{mistake}"
            );
            assert!(!mistake.contains("private"), "{mistake}");
        }
    }
}

#[test]
fn mistakes_name_the_key_and_show_no_secret() {
    const WEBHOOK: &str = "kind = 'webhook'\nurl = 'http://a'\n";
    const LLM: &str = "kind = 'llm'\nbase_url = 'http://a'\n";
    for (kind, lines, message) in [
        (
            "kind = 'webhook'",
            "",
            "`processors.a.url` in HERE/venom.toml, line 1: found nothing, expected an address \
             that begins with http:// or https:// and has no user or password in it",
        ),
        (
            WEBHOOK,
            "secret = 'whsec_private'",
            "unknown setting `processors.a.secret` in HERE/venom.toml, line 4; \
             did you mean `secret_env`?",
        ),
        (
            WEBHOOK,
            "secret_env = 'whsec_c2VjcmV0=='",
            "`processors.a.secret_env` in HERE/venom.toml, line 4: found a text, \
             expected the name of an environment variable, which must not begin with VENOM_",
        ),
        (
            WEBHOOK,
            "secret_env = 'Venom_HOOK'",
            "`processors.a.secret_env` in HERE/venom.toml, line 4: found a text, \
             expected the name of an environment variable, which must not begin with VENOM_",
        ),
        (
            WEBHOOK,
            "secret_env = 'A'\nsecret_file = 'b'",
            "`processors.a.secret_file` in HERE/venom.toml, line 5: found a second place for one \
             secret, beside `secret_env`, expected one of the two",
        ),
        (
            WEBHOOK,
            "headers = { Authorization = \"Bearer\\nprivate\" }",
            "`processors.a.headers.Authorization` in HERE/venom.toml, line 4: found a text, \
             expected a text of visible ASCII characters",
        ),
        (
            WEBHOOK,
            "headers = { 'X Y' = 'private' }",
            "`processors.a.headers` in HERE/venom.toml, line 4: found the name \"X Y\", \
             expected the name of an HTTP header that is not the service's own to set, as \
             Content-Length, Connection and webhook-… are",
        ),
        (
            WEBHOOK,
            "response_limit_bytes = 0",
            "`processors.a.response_limit_bytes` in HERE/venom.toml, line 4: found 0, \
             expected a number of bytes from 1024 (1 KiB) to 268435456 (256 MiB)",
        ),
        (
            LLM,
            "",
            "`processors.a.model` in HERE/venom.toml, line 1: found nothing, \
             expected the name of a model, as text",
        ),
        (
            LLM,
            "model = 'm'\ntemperature = 2.5",
            "`processors.a.temperature` in HERE/venom.toml, line 5: found 2.5, \
             expected a number from 0 to 2",
        ),
        (
            LLM,
            "model = 'm'\nmax_tokens = 0",
            "`processors.a.max_tokens` in HERE/venom.toml, line 5: found 0, \
             expected a whole number from 1 to 1000000000",
        ),
        (
            LLM,
            "model = 'm'\ntokens_per_minute = '30/m'",
            "`processors.a.tokens_per_minute` in HERE/venom.toml, line 5: found \"30/m\", \
             expected a whole number from 1 to 1000000000",
        ),
        (
            LLM,
            "model = 'm'\napi_key_env = 'A'\napi_key_file = 'b'",
            "`processors.a.api_key_file` in HERE/venom.toml, line 6: found a second place for one \
             secret, beside `api_key_env`, expected one of the two",
        ),
        (
            "kind = 'worker'\n",
            "lease = 0.5",
            "`processors.a.lease` in HERE/venom.toml, line 3: found 0.5, \
             expected a number of seconds from 1 to 86400 (a day), or a text such as \"90s\" or \"5m\"",
        ),
    ] {
        assert_eq!(processor(&format!("{kind}{lines}")).mistake(), message);
    }
}
