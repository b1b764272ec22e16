//! Why a TLS connection did not come about, for those who are to mend it.

use std::error::Error as StdError;
use std::io;

use rustls::{CertificateError, Error};

/// What a chain of errors says of TLS, with a hint; `None` if TLS is not what failed. `option` is where a
/// certificate to trust is given, such as `--ca-file`.
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

/// An I/O error has its cause inside, and names only the cause's cause as its source.
fn of_tls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    if let Some(failure) = error.downcast_ref() {
        return Some(failure);
    }
    let inside = error.downcast_ref::<io::Error>()?.get_ref()?;
    of_tls(inside)
}

fn hint(failure: &Error, option: &str) -> Option<String> {
    let of_certificate = match failure {
        Error::InvalidCertificate(of_certificate) => of_certificate,
        Error::InvalidMessage(_) => {
            return Some("it does not speak TLS at this address, so try http://".to_owned());
        }
        _ => return None,
    };
    Some(match of_certificate {
        CertificateError::UnknownIssuer => format!(
            "the certificate is signed by none that is trusted here: give its CA's certificate, or a \
             self-signed one itself, with {option}"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "use a name that is in the certificate, or make one with this name in its subjectAltName"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server needs a new certificate".to_owned()
        }
        CertificateError::Other(_) => format!(
            "where a server shows a certificate of a CA, exactly this certificate is needed with {option}"
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
