//! Who calls: a token is asked for before the router, and what it is limited to is kept to here.

use std::convert::Infallible;
use std::future;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};

use crate::access::{Access, Key};
use crate::api::auth::permissions;
use crate::api::auth::permissions::Need;
use crate::api::auth::rate_limit::Quota;
use crate::api::error::ApiError;
use crate::api::routes::session;
use crate::models::{Grant, TaskFilter, TaskId};
use crate::processors::Registry;
use crate::state::{Error, StateManager};

/// Who makes a request; nobody in particular where no token is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(Option<Arc<Key>>);

/// A request, as far as it says who makes it.
pub(crate) struct Visit<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) from: IpAddr,
    /// Whether a page of another origin makes it: its cookies say nothing.
    pub(crate) is_foreign: bool,
}

/// Who makes this request, if it may.
pub(crate) fn admit(access: &Access, quota: &Quota, visit: &Visit) -> Result<Caller, ApiError> {
    let &Visit {
        method,
        path,
        headers,
        ..
    } = visit;
    if access.is_open() {
        return Ok(Caller::default());
    }
    let Need::Token { role, confined } = permissions::of(method, path) else {
        return Ok(Caller::default());
    };
    let sent = bearer(headers).or_else(|| of_socket(path, headers));
    let is_cookie = sent.is_none();
    let cookie = || session::token_in(headers).filter(|_| !visit.is_foreign);
    let token = sent.or_else(cookie);
    let token = token.ok_or(ApiError::Unauthorized(NO_TOKEN))?;
    let key = quota.judge(access.find(token), visit.from)?;
    if is_cookie {
        check_page(method, path, headers, token)?;
    }
    let grant = &key.grant;
    if grant.role < role {
        let (name, has) = (&grant.name, grant.role);
        return Err(forbidden(format!(
            "This needs the role {role}; the token {name} has {has}."
        )));
    }
    if !confined && grant.processors.is_some() {
        return Err(beyond(grant));
    }
    Ok(Caller(Some(key)))
}

const NO_TOKEN: &str = "This service asks for a token: send it as `Authorization: Bearer venom_…`. \
                        `venom token create NAME` makes one.";

/// The token of `Authorization: Bearer …`; `None` where there is no such header.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

/// What a browser's page can send with a socket instead of a header: a subprotocol `bearer.venom_…`, which is
/// never the one that is chosen.
fn of_socket<'a>(path: &str, headers: &'a HeaderMap) -> Option<&'a [u8]> {
    if path != "/ws/events" {
        return None;
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    let mut offered = offered.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    offered.find_map(|name| name.trim_ascii().strip_prefix(b"bearer."))
}

/// A browser sends cookies whoever makes it ask. The guard has seen to it that `Origin`, if it is there, is
/// our own; a socket can carry no other proof, so there it must be.
fn check_page(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    token: &[u8],
) -> Result<(), ApiError> {
    let is_own = match *method {
        Method::GET if path == "/ws/events" => headers.contains_key(header::ORIGIN),
        Method::GET | Method::HEAD | Method::OPTIONS => true,
        _ => session::is_own_page(headers, token),
    };
    match is_own {
        true => Ok(()),
        false => Err(forbidden(NO_PROOF.to_owned())),
    }
}

const NO_PROOF: &str = "By cookie, a change needs the header X-CSRF-Token with what GET /api/v1/session \
                        says, and a WebSocket the header Origin.";

fn forbidden(detail: String) -> ApiError {
    ApiError::Status(StatusCode::FORBIDDEN, detail)
}

fn beyond(grant: &Grant) -> ApiError {
    let (name, list) = (&grant.name, grant.list());
    forbidden(format!(
        "The token {name} is for these processors alone: {list}."
    ))
}

impl Caller {
    /// What it is limited to; `None` if it is not.
    fn limits(&self) -> Option<&Grant> {
        let grant = &self.0.as_ref()?.grant;
        grant.processors.is_some().then_some(grant)
    }

    /// Whether something of this processor is any of its business.
    pub(crate) fn covers(&self, processor: &str) -> bool {
        self.limits().is_none_or(|grant| grant.covers(processor))
    }

    /// The configured processors that are its business, sorted.
    pub(crate) fn names(&self, registry: &Registry) -> Vec<String> {
        let mut names = registry.names();
        names.retain(|name| self.covers(name));
        names
    }

    /// What the caller's token grants.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        self.0.as_ref().map(|key| &key.grant)
    }

    /// The token's name, which the journal has with what is done.
    pub(crate) fn name(&self) -> Option<Arc<str>> {
        self.0.as_ref().map(|key| Arc::clone(&key.grant.name))
    }

    /// Refuses what is about another processor than its own.
    pub(crate) fn check(&self, processor: &str) -> Result<(), ApiError> {
        match self.limits() {
            Some(grant) if !grant.covers(processor) => Err(beyond(grant)),
            _ => Ok(()),
        }
    }

    /// Refuses what is about more than its processors.
    pub(crate) fn check_whole(&self) -> Result<(), ApiError> {
        self.limits().map_or(Ok(()), |grant| Err(beyond(grant)))
    }

    /// Keeps a filter to its processors. It has to name one of them, if there are several.
    pub(crate) fn confine(&self, filter: &mut TaskFilter) -> Result<(), ApiError> {
        let Some(grant) = self.limits() else {
            return Ok(());
        };
        if filter.processor.is_none() {
            let mut own = grant.processors.iter().flatten();
            filter.processor = match (own.next(), own.next()) {
                (Some(only), None) => Some(only.clone()),
                _ => {
                    let (name, list) = (&grant.name, grant.list());
                    return Err(forbidden(format!(
                        "The token {name} is for some processors: choose one with \
                         `processor=`, of {list}."
                    )));
                }
            };
        }
        self.check(filter.processor.as_deref().unwrap_or_default())
    }

    /// Whether a task is none of its business, which is then as good as missing; so is one that is not
    /// there: it may be made anew, as another processor's.
    pub(crate) async fn is_strange(
        &self,
        state: &StateManager,
        task: TaskId,
    ) -> Result<bool, Error> {
        if self.limits().is_none() {
            return Ok(false);
        }
        let processor = state.task_processor(task).await?;
        Ok(processor.is_none_or(|processor| !self.covers(&processor)))
    }

    /// Refuses to run a task after one that is none of its business: it would get that one's result.
    pub(crate) async fn check_upstream(
        &self,
        state: &StateManager,
        after: &[TaskId],
    ) -> Result<(), Error> {
        for task_id in after.iter().copied() {
            if self.is_strange(state, task_id).await? {
                return Err(Error::NoUpstream { task_id });
            }
        }
        Ok(())
    }

    /// Resolves when the token is revoked.
    pub(crate) async fn revoked(&self) {
        match &self.0 {
            Some(key) => key.revoked().await,
            None => future::pending().await,
        }
    }

    /// Whether a token was asked for.
    pub(crate) fn is_known(&self) -> bool {
        self.0.is_some()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
