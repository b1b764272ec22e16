//! The caller of a request, and which tasks and processors they may see.
//!
//! Handlers get the caller as an extractor. A token that is restricted to some processors treats all other tasks as
//! missing; each method here enforces that in one place.

use std::convert::Infallible;
use std::future;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::access::Key;
use crate::api::error::ApiError;
use crate::models::{Grant, TaskFilter, TaskId};
use crate::processors::Registry;
use crate::state::{Error, StateManager};

/// Who makes a request; anonymous where no token is required.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(Option<Arc<Key>>);

impl Caller {
    /// Returns the caller who sent this token.
    pub(crate) fn of(key: Arc<Key>) -> Self {
        Self(Some(key))
    }

    /// Returns the grant if it is restricted to some processors.
    fn limits(&self) -> Option<&Grant> {
        let grant = &self.0.as_ref()?.grant;
        grant.processors.is_some().then_some(grant)
    }

    /// Returns whether the caller may see tasks of this processor.
    pub(crate) fn covers(&self, processor: &str) -> bool {
        self.limits().is_none_or(|grant| grant.covers(processor))
    }

    /// Returns the configured processors that the caller may see, sorted.
    pub(crate) fn names(&self, registry: &Registry) -> Vec<String> {
        let mut names = registry.names();
        names.retain(|name| self.covers(name));
        names
    }

    /// Returns the grant of the caller's token; `None` if no token was required.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        self.0.as_ref().map(|key| &key.grant)
    }

    /// Returns the token's name, which the journal records as the actor.
    pub(crate) fn name(&self) -> Option<Arc<str>> {
        self.0.as_ref().map(|key| Arc::clone(&key.grant.name))
    }

    /// Refuses a request about a processor that the caller may not see.
    pub(crate) fn check(&self, processor: &str) -> Result<(), ApiError> {
        match self.limits() {
            Some(grant) if !grant.covers(processor) => Err(forbidden_processor(grant)),
            _ => Ok(()),
        }
    }

    /// Refuses a request about all processors if the token is restricted to some.
    pub(crate) fn require_unrestricted(&self) -> Result<(), ApiError> {
        self.limits()
            .map_or(Ok(()), |grant| Err(forbidden_processor(grant)))
    }

    /// Restricts a filter to the processor of the caller.
    ///
    /// # Errors
    /// 403 if the filter names another processor, or none while the token permits several.
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
                        "The token {name} is restricted to some processors: choose one with \
                         `processor=`: {list}."
                    )));
                }
            };
        }
        self.check(filter.processor.as_deref().unwrap_or_default())
    }

    /// Returns true if the caller may not see this task: treat that like 404. A restricted caller may not see a missing task
    /// either, because an import may create it for another processor.
    pub(crate) async fn may_not_see(
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

    /// Refuses dependencies that the caller may not see: the new task would receive their results.
    pub(crate) async fn check_dependencies(
        &self,
        state: &StateManager,
        after: &[TaskId],
    ) -> Result<(), Error> {
        for task_id in after.iter().copied() {
            if self.may_not_see(state, task_id).await? {
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

    /// Returns whether the request was authenticated by a token.
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

/// Returns a 403 with this sentence.
pub(crate) fn forbidden(detail: String) -> ApiError {
    ApiError::Status(StatusCode::FORBIDDEN, detail)
}

/// Returns the refusal of a request about processors that the token does not permit.
pub(crate) fn forbidden_processor(grant: &Grant) -> ApiError {
    let (name, list) = (&grant.name, grant.list());
    forbidden(format!(
        "The token {name} is restricted to these processors: {list}."
    ))
}
