//! Checks authentication: whether it is required, whether a valid token exists, and whether tokens are encrypted on
//! the network.

use super::finding::Finding;
use crate::config::Settings;

const NAME: &str = "access";

/// Checks these settings against the number of valid tokens. `is_running` is true for a service that has started
/// already, maybe with other flags.
pub(crate) fn access(settings: &Settings, tokens: u64, is_running: bool) -> Finding {
    let host = settings.host;
    let is_local = host.to_canonical().is_loopback();
    if !settings.auth.is_required(host) {
        return match is_local {
            true => Finding::ok(NAME, format!("authentication is disabled on {host}")),
            false => Finding::warn(
                NAME,
                format!("authentication is disabled on {host}: everybody who reaches it may do everything"),
            )
            .advise("set `auth` to auto, and create tokens with `venom token create`"),
        };
    }
    if tokens == 0 {
        let advice = "create one with `venom token create NAME --role admin`";
        return match is_running {
            true => Finding::warn(NAME, format!("{host} requires authentication, and no token is valid")),
            false => Finding::fail(
                NAME,
                format!(
                    "{host} requires authentication, and no token is valid: the service would not start"
                ),
            ),
        }
        .advise(advice);
    }
    let message = format!("{host} requires authentication; valid tokens: {tokens}");
    match is_local || settings.tls_cert_file.is_some() {
        true => Finding::ok(NAME, message),
        false => Finding::warn(
            NAME,
            format!("{message}; they are sent over the network unencrypted"),
        )
        .advise("set tls_cert_file and tls_key_file, or put a TLS proxy in front of the service"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::CheckState;
    use super::*;
    use crate::config::Auth;

    #[test]
    fn a_service_that_others_reach_needs_a_token() {
        for (host, auth, tokens, is_running, state) in [
            ("127.0.0.1", Auth::Auto, 0, false, CheckState::Ok),
            ("127.0.0.1", Auth::Required, 0, false, CheckState::Fail),
            ("127.0.0.1", Auth::Required, 1, false, CheckState::Ok),
            ("0.0.0.0", Auth::Auto, 0, false, CheckState::Fail),
            ("0.0.0.0", Auth::Auto, 0, true, CheckState::Warn),
            ("0.0.0.0", Auth::Auto, 1, false, CheckState::Warn),
            ("::", Auth::Off, 1, false, CheckState::Warn),
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
        assert_eq!(access(&secure, 1, false).state, CheckState::Ok);
    }
}
