//! Who gets in: whether a token is asked for, whether there is one, and who could listen to it.

use super::finding::Finding;
use crate::config::Settings;

const NAME: &str = "access";

/// What to say of a service with these settings, when so many tokens are valid. `is_running` is one that is
/// started already, maybe with other flags.
pub(crate) fn access(settings: &Settings, tokens: u64, is_running: bool) -> Finding {
    let host = settings.host;
    let is_local = host.to_canonical().is_loopback();
    if !settings.auth.is_required(host) {
        return match is_local {
            true => Finding::ok(NAME, format!("no token is asked for on {host}")),
            false => Finding::warn(
                NAME,
                format!("no token is asked for on {host}: whoever reaches it may do everything"),
            )
            .advise("leave `auth` at auto, and make tokens with `venom token create`"),
        };
    }
    if tokens == 0 {
        let advice = "make one with `venom token create NAME --role admin`";
        return match is_running {
            true => Finding::warn(NAME, format!("no token is valid, and {host} asks for one")),
            false => Finding::fail(
                NAME,
                format!("{host} asks for a token, and none is valid: the service would not start"),
            ),
        }
        .advise(advice);
    }
    let message = format!("{host} asks for a token; {tokens} are valid");
    match is_local || settings.tls_cert_file.is_some() {
        true => Finding::ok(NAME, message),
        false => Finding::warn(
            NAME,
            format!("{message}, and they cross the network readable"),
        )
        .advise("set tls_cert_file and tls_key_file, or put a proxy that speaks TLS before it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;
    use crate::config::Auth;

    #[test]
    fn a_service_that_others_reach_needs_a_token() {
        for (host, auth, tokens, is_running, state) in [
            ("127.0.0.1", Auth::Auto, 0, false, State::Ok),
            ("127.0.0.1", Auth::Required, 0, false, State::Fail),
            ("127.0.0.1", Auth::Required, 1, false, State::Ok),
            ("0.0.0.0", Auth::Auto, 0, false, State::Fail),
            ("0.0.0.0", Auth::Auto, 0, true, State::Warn),
            ("0.0.0.0", Auth::Auto, 1, false, State::Warn),
            ("::", Auth::Off, 1, false, State::Warn),
        ] {
            let settings = Settings {
                host: host.parse().unwrap(),
                auth,
                ..Settings::default()
            };
            let found = access(&settings, tokens, is_running);
            assert_eq!(found.state, state, "{host} {auth:?} {tokens}");
        }
        let secure = Settings {
            host: "0.0.0.0".parse().unwrap(),
            tls_cert_file: Some("cert.pem".into()),
            ..Settings::default()
        };
        assert_eq!(access(&secure, 1, false).state, State::Ok);
    }
}
