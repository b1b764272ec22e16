//! Checks each request against HTTP/1.1: one valid host, no content encoding, no unknown expectation.

use std::net::Ipv6Addr;

use axum::http::{HeaderMap, StatusCode, Uri, Version, header};

use crate::api::error::ApiError;

/// Checks that HTTP/1.1 allows the request, and that the service can read it.
pub(crate) fn check(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    check_host(version, uri, headers)?;
    if let Some(found) = encoding(headers) {
        let detail = format!(
            "Content-Encoding {found:?} is not supported; send the body as it is, without Content-Encoding."
        );
        return Err(ApiError::Encoding(detail));
    }
    if let Some(expected) = headers.get(header::EXPECT)
        && !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        let detail = "The header Expect may only say 100-continue.".to_owned();
        return Err(ApiError::Status(StatusCode::EXPECTATION_FAILED, detail));
    }
    Ok(())
}

/// Checks the host (RFC 9112, 3.2): without exactly one valid `Host`, proxies and the service may think that different hosts
/// are asked.
fn check_host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host,
        // HTTP/1.0 has no such header.
        (None, _) if version < Version::HTTP_11 => return Ok(()),
        (None, _) => return Err(bad("The request has no header Host.")),
        (Some(_), Some(_)) => return Err(bad("The request has more than one header Host.")),
    };
    let host = host.to_str().ok().and_then(Authority::parse);
    let host = host.ok_or_else(|| bad("The header Host is no host, or no host and port."))?;
    let Some(target) = uri.authority() else {
        return Ok(());
    };
    let asked = Authority::parse(target.as_str());
    let default_port = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    match asked.is_some_and(|asked| asked.is_same(&host, default_port)) {
        true => Ok(()),
        false => Err(bad(
            "The request's target and its header Host name different hosts.",
        )),
    }
}

fn bad(detail: &str) -> ApiError {
    ApiError::Status(StatusCode::BAD_REQUEST, detail.to_owned())
}

/// Returns the content encoding of the body, if it has one.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let found = encodings.find(|value| {
        let value = value.as_bytes().trim_ascii();
        !value.is_empty() && !value.eq_ignore_ascii_case(b"identity")
    })?;
    Some(String::from_utf8_lossy(found.as_bytes()).into_owned())
}

/// A host and its port, if it is said.
struct Authority<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:port` or `[v6]:port`. A user before the host is none of them.
    fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, _) = rest.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                text.split_at(address.len() + 2)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (host, port) = text.split_at(end);
                let is_name = !host.is_empty() && host.bytes().all(is_of_name);
                is_name.then_some((host, port))?
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { host, port })
    }

    fn is_same(&self, other: &Self, default_port: u16) -> bool {
        let port = |authority: &Self| authority.port.unwrap_or(default_port);
        self.host.eq_ignore_ascii_case(other.host) && port(self) == port(other)
    }
}

/// Accepts the bytes of a registered name or an IPv4 address (RFC 3986, 3.2.2).
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_a_port_or_without() {
        for text in [
            "localhost",
            "127.0.0.1:8000",
            "[::1]",
            "[::1]:8000",
            "a_b.example.:80",
            "host:",
        ] {
            assert!(Authority::parse(text).is_some(), "{text}");
        }
        for text in [
            "", ":80", "a b", "a/b", "a:b", "a:80:80", "a:65536", "a:-1", "::1", "[::1", "[x]",
            "[::1]80", "me@host", "host?", "host#", "[]", "a\\b",
        ] {
            assert!(Authority::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_port_that_is_not_said_is_the_usual_one() {
        let parse = |text| Authority::parse(text).unwrap();
        assert!(parse("Host").is_same(&parse("host:80"), 80));
        assert!(!parse("host").is_same(&parse("host:80"), 443));
        assert!(!parse("host").is_same(&parse("other"), 80));
    }
}
