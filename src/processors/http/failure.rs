//! What becomes of an attempt whose request had no success: a sentence, and what to do about it.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use super::Secrets;
use crate::models::Timestamp;
use crate::processors::text::text;
use crate::processors::{Next, RunError};

/// No server holds a processor up for longer.
const LONGEST_HOLD: Duration = Duration::from_secs(86_400);
/// `Retry-After: 0` must not become a loop without a pause.
const SHORTEST_HOLD: Duration = Duration::from_secs(1);

/// Of the body of such an answer, so much is looked at, for so long.
const BODY_BYTES: usize = 16 * 1024;
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// What an answer other than a success means.
pub(super) async fn of_answer(response: Response, secrets: &Secrets) -> RunError {
    let status = response.status();
    let next = next_after(status, retry_after(response.headers(), Timestamp::now()));
    let mut message = format!("answered {}", status.as_u16());
    if let Some(reason) = status.canonical_reason() {
        message.push_str(&format!(" {reason}"));
    }
    if status.is_redirection() {
        message.push_str(" (redirects are not followed)");
    }
    if let Some(words) = words_of(&start_of_body(response).await, secrets) {
        message.push_str(&format!(": {words}"));
    }
    RunError::with(message, next)
}

/// What a request means that got no whole answer. The message shows no address: it may hold a token.
pub(in crate::processors) fn of_transport(error: reqwest::Error) -> RunError {
    let next = match error.is_builder() {
        true => Next::GiveUp,
        false => Next::Retry,
    };
    let what = if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "the request took too long"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "the request failed"
    };
    let error = error.without_url();
    RunError::with(format!("{what}: {}", root(&error)), next)
}

/// The innermost reason, which is the one that says something.
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
        408 | 425 | 500..=599 => Next::Retry,
        _ => Next::GiveUp,
    }
}

/// The time that `Retry-After` names, in seconds or as a date, within the limits of a hold.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wanted = match seconds(value) {
        Some(seconds) => now.after(Duration::from_secs(seconds)),
        None => date(value)?,
    };
    Some(wanted.clamp(now.after(SHORTEST_HOLD), now.after(LONGEST_HOLD)))
}

/// Whole seconds, rounded up: some servers send a fraction, though they should not. More than a number
/// holds is still more than the longest hold.
fn seconds(text: &str) -> Option<u64> {
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = text.parse().ok().filter(|_| is_number)?;
    Some(seconds.ceil() as u64)
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

/// What the body says: the message in it if it is JSON with one, else its first line.
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
        for status in [408, 425, 500, 502, 504, 599] {
            assert_eq!(next(status, Some(later)), Next::Retry, "{status}");
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
        assert_eq!(hold("1.5"), Some(2.0));
        assert_eq!(hold("Sun, 09 Sep 2001 01:00:00 GMT"), Some(1.0));
        assert_eq!(hold("99999999999999999999999"), Some(86_400.0));
        for nonsense in ["soon", "-5", "1e3", "1.2.3", ".", ""] {
            assert_eq!(hold(nonsense), None, "{nonsense}");
        }
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
