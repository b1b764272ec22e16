//! Logs a browser in and out, and returns its caller: `/api/v1/login`, `/logout`, `/session`.
//!
//! The login is a cookie that holds the token; see [`cookie`].

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::auth::cookie;
use crate::api::auth::cookie::LoginOrigin;
use crate::api::context::Shared;
use crate::api::error::{ApiError, Refusal};
use crate::api::input::body::SmallJsonBody;
use crate::api::input::body_schema::{RequestBody, body, required};
use crate::api::input::kinds::Secret;
use crate::api::input::query::NoParameters;
use crate::models::{Grant, Role};

/// The largest login body: a caller needs no token to send one.
const LOGIN_LIMIT_BYTES: usize = 4096;

body! {
    /// A token that becomes a browser's cookie.
    pub(crate) struct LoginBody as "LoginRequest" {
        token: String = required(Secret),
    }
    example: { "token": "venom_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }
}

/// The caller.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// Whether the service requires authentication. If not, the other fields are null.
    auth: bool,
    /// The token's name.
    #[schema(required)]
    name: Option<String>,
    #[schema(required)]
    role: Option<Role>,
    /// The processors that the token is restricted to; null if it is unrestricted.
    #[schema(required)]
    processors: Option<BTreeSet<String>>,
    /// The value of the header `X-CSRF-Token` for changes by a browser; null unless the token came by cookie.
    #[schema(required)]
    csrf_token: Option<String>,
}

/// Log a browser in.
///
/// Sets the cookie. Answers like `GET /api/v1/session`.
#[utoipa::path(
    post, path = "/api/v1/login", tag = "Session", operation_id = "login",
    request_body = LoginBody,
    responses(
        (status = 200, description = "The caller", body = Session, headers(
            ("Set-Cookie" = String, description = "The cookie; not if authentication is off"),
        )),
        (status = 401, description = "The token is missing or invalid", body = Refusal),
    ),
)]
pub(crate) async fn login(
    State(api): Shared,
    Extension(origin): Extension<LoginOrigin>,
    _: NoParameters,
    SmallJsonBody(body): SmallJsonBody<LOGIN_LIMIT_BYTES>,
) -> Result<Response, ApiError> {
    let LoginBody { token } = LoginBody::read(&body, |_, _| {})?;
    if api.access.is_open() {
        return Ok(Json(anonymous()).into_response());
    }
    let token = token.trim();
    let found = api.access.find(token.as_bytes());
    let key = api.rate_limiter.check_token(found, origin.client)?;
    let session = Json(authenticated(&key.grant, Some(token.as_bytes())));
    Ok(([(header::SET_COOKIE, cookie::set(origin, token))], session).into_response())
}

/// Log a browser out.
///
/// Deletes the cookie.
#[utoipa::path(
    post, path = "/api/v1/logout", tag = "Session", operation_id = "logout",
    responses((status = 204, description = "The cookie is deleted", headers(
        ("Set-Cookie" = String, description = "An empty cookie"),
    ))),
)]
pub(crate) async fn logout(Extension(origin): Extension<LoginOrigin>, _: NoParameters) -> Response {
    let deleted = cookie::delete(origin);
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, deleted)]).into_response()
}

/// The caller, and the CSRF token for a browser's changes.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "Session", operation_id = "get_session",
    responses((status = 200, description = "The caller", body = Session)),
)]
pub(crate) async fn show(_: NoParameters, caller: Caller, headers: HeaderMap) -> Json<Session> {
    Json(match caller.grant() {
        Some(grant) => authenticated(grant, cookie::token_in(&headers)),
        None => anonymous(),
    })
}

fn anonymous() -> Session {
    Session {
        auth: false,
        name: None,
        role: None,
        processors: None,
        csrf_token: None,
    }
}

fn authenticated(grant: &Grant, token: Option<&[u8]>) -> Session {
    Session {
        auth: true,
        name: Some(grant.name.to_string()),
        role: Some(grant.role),
        processors: grant.processors.clone(),
        csrf_token: token.map(cookie::csrf_token),
    }
}
