//! A browser's login: the token, in a cookie that no script can read.
//!
//! The cookie holds the token itself: a login ends when the token is revoked, outlives a restart, and
//! nothing has to be remembered. The price: browsers send cookies to every port of a host name, so another
//! server there gets the token. A browser sends cookies by itself, also for pages it should not, so
//! whoever changes something by cookie sends with it what `GET /api/v1/session` says, which no page of
//! another origin can read.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::Shared;
use crate::api::error::{ApiError, Refusal};
use crate::api::input::body::{SmallJsonBody, parse_object};
use crate::api::input::fields::Fields;
use crate::api::input::query::NoParameters;
use crate::api::openapi::requests;
use crate::models::{Grant, Role};

const COOKIE: &[u8] = b"venom_token=";
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// Where a login is handed in.
const LOGIN: &str = "/api/v1/login";

const LOGOUT: &str = "/api/v1/logout";

/// Bytes of a login: nobody needs a token to send one.
const LOGIN_BYTES: usize = 4096;

/// Whether this call sets the cookie, and so has to know whence it comes.
pub(crate) fn sets_cookie(path: &str) -> bool {
    matches!(path, LOGIN | LOGOUT)
}

/// From where it comes.
#[derive(Clone, Copy)]
pub(crate) struct From {
    pub(crate) address: IpAddr,
    /// Whether the browser speaks TLS, with the service or with a proxy of ours.
    pub(crate) is_secure: bool,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// Whether tokens are asked for; if not, the rest is null.
    auth: bool,
    /// The token's name.
    #[schema(required)]
    name: Option<String>,
    #[schema(required)]
    role: Option<Role>,
    /// The processors that the token is for; null if it is for all.
    #[schema(required)]
    processors: Option<BTreeSet<String>>,
    /// What a browser sends as `X-CSRF-Token` with a change; null unless the token came by cookie.
    #[schema(required)]
    csrf_token: Option<String>,
}

/// Log a browser in.
///
/// Sets the cookie. Says what `GET /api/v1/session` does.
#[utoipa::path(
    post, path = "/api/v1/login", tag = "Session", operation_id = "login",
    request_body = requests::LoginRequest,
    responses(
        (status = 200, description = "Who that is", body = Session, headers(
            ("Set-Cookie" = String, description = "The cookie; not where no token is asked for"),
        )),
        (status = 401, description = "The token does not hold", body = Refusal),
    ),
)]
pub(crate) async fn login(
    State(api): Shared,
    Extension(from): Extension<From>,
    _: NoParameters,
    SmallJsonBody(body): SmallJsonBody<LOGIN_BYTES>,
) -> Result<Response, ApiError> {
    let mut fields = Fields::new(parse_object(&body)?);
    let token = fields.required_text("token");
    fields.refuse_others(&["token"])?;
    if api.access.is_open() {
        return Ok(Json(nobody()).into_response());
    }
    let token = token.trim();
    let key = api
        .quota
        .judge(api.access.find(token.as_bytes()), from.address)?;
    let session = Json(somebody(&key.grant, Some(token.as_bytes())));
    Ok(([(header::SET_COOKIE, cookie(from, token, ""))], session).into_response())
}

/// Log a browser out.
///
/// Takes the cookie back.
#[utoipa::path(
    post, path = "/api/v1/logout", tag = "Session", operation_id = "logout",
    responses((status = 204, description = "It is gone", headers(
        ("Set-Cookie" = String, description = "An empty cookie"),
    ))),
)]
pub(crate) async fn logout(Extension(from): Extension<From>, _: NoParameters) -> Response {
    let gone = cookie(from, "", "; Max-Age=0");
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response()
}

/// Who asks, and what a browser sends with its changes.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "Session", operation_id = "get_session",
    responses((status = 200, description = "Who that is", body = Session)),
)]
pub(crate) async fn show(_: NoParameters, caller: Caller, headers: HeaderMap) -> Json<Session> {
    Json(match caller.grant() {
        Some(grant) => somebody(grant, token_in(&headers)),
        None => nobody(),
    })
}

fn nobody() -> Session {
    Session {
        auth: false,
        name: None,
        role: None,
        processors: None,
        csrf_token: None,
    }
}

fn somebody(grant: &Grant, cookie: Option<&[u8]>) -> Session {
    Session {
        auth: true,
        name: Some(grant.name.to_string()),
        role: Some(grant.role),
        processors: grant.processors.clone(),
        csrf_token: cookie.map(csrf_token),
    }
}

/// Only this origin's pages make the browser send it, and no script can read it.
fn cookie(from: From, token: &str, more: &str) -> HeaderValue {
    let secure = if from.is_secure { "; Secure" } else { "" };
    let cookie = format!("venom_token={token}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
    let mut value = HeaderValue::try_from(cookie).expect("a known token is plain text");
    value.set_sensitive(true);
    value
}

/// The token in the cookies of a request.
pub(crate) fn token_in(headers: &HeaderMap) -> Option<&[u8]> {
    let cookies = headers.get_all(header::COOKIE).into_iter();
    let mut cookies = cookies.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let token = cookies.find_map(|cookie| cookie.trim_ascii().strip_prefix(COOKIE))?;
    (!token.is_empty()).then_some(token)
}

/// Whether a change by cookie is made by a page that could read the session.
pub(crate) fn is_own_page(headers: &HeaderMap, token: &[u8]) -> bool {
    let sent = headers
        .get(CSRF_HEADER)
        .map_or(&b""[..], HeaderValue::as_bytes);
    sent.ct_eq(csrf_token(token).as_bytes()).into()
}

/// It tells nothing about the token, and is not the hash that is stored.
fn csrf_token(token: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(b"venom csrf ")
        .chain_update(token);
    BASE64_URL_SAFE_NO_PAD.encode(digest.finalize())
}
