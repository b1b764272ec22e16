//! Classifies failed requests and responses: the error text, retry or not, and Retry-After.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use super::encoding::encoding_left;
use crate::models::Timestamp;
use crate::processors::http::secrets::Secrets;
use crate::processors::run_error::{Next, RunError};
use crate::processors::text::text;
use crate::tls;

/// The longest time for which a server holds a processor.
const LONGEST_HOLD: Duration = Duration::from_secs(86_400);
/// The shortest hold: `Retry-After: 0` must not become a loop without a pause.
const SHORTEST_HOLD: Duration = Duration::from_secs(1);

/// Retry-After in milliseconds, as OpenAI and Azure send it beside the rounded `Retry-After`.
const IN_MILLISECONDS: [HeaderName; 2] = [
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-ms-retry-after-ms"),
];

/// The number of bytes of a failed response's body that are read, and the time for it.
const BODY_BYTES: usize = 16 * 1024;
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// Classifies a response with another status than 2xx.
pub(crate) async fn of_answer(response: Response, secrets: &Secrets) -> RunError {
    let status = response.status();
    let next = next_after(status, retry_after(response.headers(), Timestamp::now()));
    let mut message = format!("the server answered {}", status.as_u16());
    if let Some(reason) = status.canonical_reason() {
        message.push_str(&format!(" {reason}"));
    }
    if status.is_redirection() {
        message.push_str(" (redirects are not followed)");
    }
    if encoding_left(response.headers()).is_none()
        && let Some(words) = words_of(&start_of_body(response).await, secrets)
    {
        message.push_str(&format!(": {words}"));
    }
    RunError::with(message, next)
}

/// Classifies a request without a complete response. The message shows no address: it may hold a token.
pub(crate) fn of_transport(error: reqwest::Error) -> RunError {
    let next = match error.is_builder() {
        true => Next::GiveUp,
        false => Next::Retry,
    };
    let what = if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "the request timed out"
    } else if error.is_body() || error.is_decode() {
        "the response ended early"
    } else {
        "the request failed"
    };
    let error = error.without_url();
    let reason = tls::reason(&error, "`ca_file`").unwrap_or_else(|| root(&error));
    RunError::with(format!("{what}: {reason}"), next)
}

/// Returns the innermost cause, which is the informative one.
fn root(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn next_after(status: StatusCode, retry_after: Option<Timestamp>) -> Next {
    match status.as_u16() {
        429 | 503 => retry_after.map_or(Next::Retry, Next::Hold),
        408 | 425 | 500..=599 => retry_after.map_or(Next::Retry, Next::RetryAt),
        _ => Next::GiveUp,
    }
}

/// Returns the time before which the server wants no other request, within the limits of a hold. The first valid
/// header counts, the most precise one first.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let said = |name: &HeaderName| Some(headers.get(name)?.to_str().ok()?.trim());
    let in_milliseconds = |name| Some(now.after(pause(said(name)?, 1e-3)?));
    let in_seconds_or_date = || {
        let said = said(&RETRY_AFTER)?;
        pause(said, 1.0)
            .map(|pause| now.after(pause))
            .or_else(|| date(said))
    };
    let wanted = IN_MILLISECONDS.iter().find_map(in_milliseconds);
    let wanted = wanted.or_else(in_seconds_or_date)?;
    Some(wanted.clamp(now.after(SHORTEST_HOLD), now.after(LONGEST_HOLD)))
}

/// Parses a number of `unit`s of a second; some servers send a fraction, though they should not. A number that
/// exceeds a duration still exceeds the longest hold.
fn pause(text: &str, unit: f64) -> Option<Duration> {
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let count: f64 = text.parse().ok().filter(|_| is_number)?;
    let seconds = (count * unit).min(LONGEST_HOLD.as_secs_f64());
    Duration::try_from_secs_f64(seconds).ok()
}

fn date(text: &str) -> Option<Timestamp> {
    let time: SystemTime = httpdate::parse_http_date(text).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Timestamp::from_unix_seconds(i64::try_from(seconds).ok()?)
}

async fn start_of_body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while body.len() < BODY_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            let room = BODY_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
    };
    let _ = timeout(BODY_PATIENCE, read).await;
    body
}

/// Returns the error message of the body: the one in its JSON, else its first line.
fn words_of(body: &[u8], secrets: &Secrets) -> Option<String> {
    let (body, _) = text(body, BODY_BYTES);
    secrets.words(&said_in_json(&body).unwrap_or(body))
}

fn said_in_json(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let places = ["/error/message", "/message", "/detail", "/error"];
    let mut said = places.iter().filter_map(|place| body.pointer(place));
    said.find_map(|said| Some(said.as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())])
    }

    #[test]
    fn what_a_status_means() {
        let later = Timestamp::now();
        let next = |status, hold| next_after(StatusCode::from_u16(status).unwrap(), hold);
        for status in [429, 503] {
            assert_eq!(next(status, Some(later)), Next::Hold(later));
            assert_eq!(next(status, None), Next::Retry);
        }
        for status in [408, 425, 500, 502, 504, 529, 599] {
            assert_eq!(next(status, Some(later)), Next::RetryAt(later), "{status}");
            assert_eq!(next(status, None), Next::Retry, "{status}");
        }
        for status in [301, 302, 307, 400, 401, 403, 404, 410, 422] {
            assert_eq!(next(status, Some(later)), Next::GiveUp, "{status}");
        }
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date_within_limits() {
        let now = Timestamp::from_unix_seconds(1_000_000_000).unwrap();
        let hold = |value: &str| Some(retry_after(&headers(value), now)?.seconds_since(now));
        assert_eq!(hold("30"), Some(30.0));
        assert_eq!(hold("Sun, 09 Sep 2001 01:47:00 GMT"), Some(20.0));
        assert_eq!(hold("0"), Some(1.0));
        assert_eq!(hold("1.5"), Some(1.5));
        assert_eq!(hold("Sun, 09 Sep 2001 01:00:00 GMT"), Some(1.0));
        assert_eq!(hold("99999999999999999999999"), Some(86_400.0));
        for nonsense in ["soon", "-5", "1e3", "1.2.3", ".", ""] {
            assert_eq!(hold(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn milliseconds_are_more_exact_than_seconds() {
        let now = Timestamp::from_unix_seconds(1_000_000_000).unwrap();
        let hold = |values: &[(&'static str, &str)]| {
            let headers = values
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            Some(retry_after(&HeaderMap::from_iter(headers), now)?.seconds_since(now))
        };
        assert_eq!(hold(&[("retry-after-ms", "2500")]), Some(2.5));
        let both = [("retry-after", "3"), ("x-ms-retry-after-ms", "2500")];
        assert_eq!(hold(&both), Some(2.5));
        assert_eq!(hold(&[("retry-after-ms", "20")]), Some(1.0));
        let unreadable = [("retry-after-ms", "soon"), ("retry-after", "3")];
        assert_eq!(hold(&unreadable), Some(3.0));
    }

    #[test]
    fn a_body_of_json_says_its_message() {
        let words = |body: &str| words_of(body.as_bytes(), &Secrets::default());
        let said = r#"{"error": {"message": "no such\nmodel"}}"#;
        assert_eq!(words(said).as_deref(), Some("no such"));
        assert_eq!(words("{\"a\": 1}").as_deref(), Some("{\"a\": 1}"));
        assert_eq!(words(""), None);
    }
}
