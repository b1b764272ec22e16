//! Checks the service's TLS certificate and its key.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::finding::Finding;
use crate::config::Settings;
use crate::tls::{self, Validity};

const NAME: &str = "tls";
/// A certificate that expires within this time is reported.
const SOON: TimeDelta = TimeDelta::days(14);
const OTHERS_MAY_READ: u32 = 0o004;

/// Checks the certificate and the key of the settings. Returns nothing for plain HTTP.
pub(crate) fn certificate(settings: &Settings, now: DateTime<Utc>) -> Vec<Finding> {
    let (Some(certificate), Some(key)) = (&settings.tls_cert_file, &settings.tls_key_file) else {
        return Vec::new();
    };
    if let Err(reason) = tls::server(certificate, key) {
        let finding = Finding::fail(NAME, reason);
        return vec![finding.advise("correct the files: the service does not start without them")];
    }
    let mut findings = vec![match tls::validity(certificate) {
        Ok(validity) => check_validity(certificate, validity, now),
        Err(reason) => Finding::warn(NAME, reason),
    }];
    findings.extend(readable_by_others(key));
    findings
}

fn check_validity(certificate: &Path, validity: Validity, now: DateTime<Utc>) -> Finding {
    let name = certificate.display();
    let day = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M UTC").to_string();
    let Validity { from, until } = validity;
    if now < from {
        return Finding::fail(NAME, format!("{name} is not valid before {}", day(from)))
            .advise("wait, or correct the clock: no client trusts it before");
    }
    if now > until {
        return Finding::fail(NAME, format!("{name} expired on {}", day(until)))
            .advise("renew the certificate, and restart the service: no client trusts this one");
    }
    match until - now < SOON {
        true => Finding::warn(NAME, format!("{name} expires soon, on {}", day(until)))
            .advise("renew the certificate, and restart the service"),
        false => Finding::ok(NAME, format!("{name} is valid until {}", day(until))),
    }
}

fn readable_by_others(key: &Path) -> Option<Finding> {
    let mode = fs::metadata(key).ok()?.permissions().mode();
    (mode & OTHERS_MAY_READ != 0).then(|| {
        let message = format!(
            "other users of this machine can read the key {}",
            key.display()
        );
        Finding::warn(NAME, message).advise("`chmod o-rwx` the file, and create another key")
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::CheckState;
    use super::*;

    #[test]
    fn a_certificate_is_checked_against_the_time() {
        let time = |text: &str| text.parse().unwrap();
        let validity = Validity {
            from: time("2026-01-01T00:00:00Z"),
            until: time("2026-12-31T00:00:00Z"),
        };
        for (now, state) in [
            ("2025-12-31T23:59:59Z", CheckState::Fail),
            ("2026-01-01T00:00:00Z", CheckState::Ok),
            ("2026-12-17T00:00:00Z", CheckState::Ok),
            ("2026-12-17T00:00:01Z", CheckState::Warn),
            ("2026-12-31T00:00:01Z", CheckState::Fail),
        ] {
            let found = check_validity(Path::new("cert.pem"), validity, time(now));
            assert_eq!(found.state, state, "{now}");
        }
    }
}
