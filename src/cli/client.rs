//! The HTTP side of the client commands: requests, and what went wrong in words.

use std::io;
use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode, Url};
use rustls::RootCertStore;
use serde_json::Value;

use super::error::Error;
use crate::tls;

/// A service that takes longer to take a connection is as good as none. Answers may take as long as
/// they need: a purge of a million tasks does.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to one service.
pub(super) struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    url: String,
}

impl Client {
    /// A client of the service at `url`; nothing is sent yet.
    pub fn new(url: &Url) -> Result<Self, Error> {
        let authorities = match url.scheme() {
            "https" => tls::usual_authorities(),
            _ => RootCertStore::empty(),
        };
        let http = tls::client(authorities)
            // What `HTTP_PROXY` names does not know the services of this machine.
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| Error::Failed(format!("cannot make a client: {}", root(&error))))?;
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, url })
    }

    /// The service's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The answer to `GET path`, to be read.
    pub async fn open(&self, path: &str) -> Result<Response, Error> {
        self.send(self.http.get(self.at(path))).await
    }

    /// The answer to `GET path`.
    pub async fn get(&self, path: &str) -> Result<Value, Error> {
        self.json(self.open(path).await?).await
    }

    /// The answer to `POST path`, with a JSON body or none.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let mut request = self.http.post(self.at(path));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.json(self.send(request).await?).await
    }

    /// The answer to `POST path`, with a body that holds JSON and is sent as it is read.
    pub async fn upload(&self, path: &str, body: reqwest::Body) -> Result<Value, Error> {
        let request = self.http.post(self.at(path));
        let request = request.header("content-type", "application/json");
        self.json(self.send(request.body(body)).await?).await
    }

    /// What to say of a connection that did not come about or broke.
    pub fn unreachable(&self, error: &reqwest::Error) -> Error {
        if error.is_connect() {
            return no_service(&self.url, root(error));
        }
        let (url, reason) = (&self.url, root(error));
        Error::Unreachable(format!("the connection to {url} broke: {reason}"))
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let answer = request.send().await;
        let response = answer.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        let words = reason_in(&body)
            .unwrap_or_else(|| format!("{} answers {status} without a reason", self.url));
        Err(match status {
            StatusCode::SERVICE_UNAVAILABLE => Error::Unreachable(words),
            _ => Error::Failed(words),
        })
    }

    async fn json(&self, response: Response) -> Result<Value, Error> {
        let read = response.bytes().await;
        let body = read.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&body).map_err(|_| {
            let url = &self.url;
            Error::Failed(format!("{url} answers, but not as a venom service does"))
        })
    }
}

/// What to say when nothing takes a connection.
pub(super) fn no_service(url: &str, reason: &(dyn std::error::Error + 'static)) -> Error {
    // That nobody listens is the plain case, and is said already.
    let refused = reason
        .downcast_ref::<io::Error>()
        .is_some_and(|reason| reason.kind() == io::ErrorKind::ConnectionRefused);
    let reason = match refused {
        true => String::new(),
        false => format!(" ({reason})"),
    };
    Error::Unreachable(format!(
        "no venom service answers at {url}{reason}; start one with `venom serve`"
    ))
}

/// The error at the bottom, which says what happened.
fn root(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut root: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// The `detail` of an error's body in words: the sentence, or what is wrong where.
pub(super) fn reason_in(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    match &body["detail"] {
        Value::String(sentence) => Some(sentence.clone()),
        Value::Array(problems) => {
            let words: Vec<_> = problems.iter().map(problem).collect();
            Some(words.join("\n"))
        }
        _ => None,
    }
}

/// `body.priority: Input should be …`
fn problem(problem: &Value) -> String {
    let place = |part: &Value| match part {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    };
    let loc = problem["loc"].as_array().map(Vec::as_slice);
    let loc: Vec<_> = loc.unwrap_or_default().iter().map(place).collect();
    let msg = problem["msg"].as_str().unwrap_or("is wrong");
    format!("{}: {msg}", loc.join("."))
}

#[cfg(test)]
mod tests {
    use super::reason_in;

    #[test]
    fn details_become_words() {
        let sentence = br#"{"detail": "Task not found"}"#;
        assert_eq!(reason_in(sentence).unwrap(), "Task not found");
        let problems = br#"{"detail": [
            {"type": "missing", "loc": ["body", "content"], "msg": "Field required", "input": {}},
            {"type": "json_invalid", "loc": ["body", 7], "msg": "JSON decode error", "input": {}}
        ]}"#;
        assert_eq!(
            reason_in(problems).unwrap(),
            "body.content: Field required\nbody.7: JSON decode error"
        );
    }

    #[test]
    fn other_bodies_give_no_reason() {
        for body in ["", "<html>", "{}", "[]", r#"{"detail": 1}"#] {
            assert_eq!(reason_in(body.as_bytes()), None, "{body}");
        }
    }
}
