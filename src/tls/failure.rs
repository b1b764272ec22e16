//! Explains why a TLS connection failed.

use std::error::Error as StdError;
use std::io;

use rustls::{CertificateError, Error};

/// Returns the TLS error in a chain of errors, with a hint; `None` if TLS did not fail. `option` names the flag or
/// setting for a trusted certificate, such as `--ca-file`.
pub(crate) fn reason(error: &(dyn StdError + 'static), option: &str) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(failure) = of_tls(error) {
            return Some(match hint(failure, option) {
                Some(hint) => format!("{failure}; {hint}"),
                None => failure.to_string(),
            });
        }
        next = error.source();
    }
    None
}

/// Returns the TLS error in one error. An I/O error wraps its cause, and its `source` skips that cause.
fn of_tls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    if let Some(failure) = error.downcast_ref() {
        return Some(failure);
    }
    let inside = error.downcast_ref::<io::Error>()?.get_ref()?;
    of_tls(inside)
}

/// Returns what to do about a TLS error.
fn hint(failure: &Error, option: &str) -> Option<String> {
    let of_certificate = match failure {
        Error::InvalidCertificate(of_certificate) => of_certificate,
        Error::InvalidMessage(_) => {
            return Some("the server at this address does not use TLS; try http://".to_owned());
        }
        _ => return None,
    };
    Some(match of_certificate {
        CertificateError::UnknownIssuer => format!(
            "no trusted CA signed the certificate: give its CA certificate, or the self-signed certificate \
             itself, with {option}"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "use a name that the certificate contains, or issue one with this name in its subjectAltName"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server needs a new certificate".to_owned()
        }
        CertificateError::Other(_) => format!(
            "if the server presents a CA certificate, give exactly this certificate with {option}"
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_found_wherever_it_is_in_the_chain() {
        let failure = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let inside = io::Error::other(io::Error::other(failure));
        let reason = reason(&inside, "--ca-file").unwrap();
        assert!(reason.contains("UnknownIssuer; "), "{reason}");
        assert!(reason.ends_with("with --ca-file"), "{reason}");
    }

    #[test]
    fn other_failures_are_none_of_tls() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(reason(&refused, "--ca-file"), None);
    }
}
