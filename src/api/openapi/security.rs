//! The permission of each call, and the ways to send a token, in the OpenAPI document.

use serde_json::{Value, json};

use crate::api::auth::permissions::Permission;
use crate::api::openapi::Call;

/// Adds the permission of a call.
pub(crate) fn add(permission: Permission, call: &mut Call) {
    let Permission::Token { role, confined } = permission else {
        // Stated, so that it does not look forgotten.
        call.insert("security".to_owned(), json!([]));
        return;
    };
    let roles = [role.as_str()];
    let security = json!([{ "bearer": roles }, { "cookie": roles }]);
    call.insert("security".to_owned(), security);
    let confined = match confined {
        true => "a token that is for some processors alone will do",
        false => "a token that is for some processors alone is refused",
    };
    let mut words = call
        .get("description")
        .and_then(Value::as_str)
        .map(|words| format!("{words}\n\n"))
        .unwrap_or_default();
    words.push_str(&format!(
        "Needs the role `{role}` or a higher one; {confined}."
    ));
    call.insert("description".to_owned(), json!(words));
}

/// Returns the ways to send a token.
pub(crate) fn schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token; `venom token create NAME` creates one.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": "venom_token",
            "description": "A browser's login: `POST /api/v1/login` sets it. A change needs the header \
                `X-CSRF-Token` too, with what `GET /api/v1/session` says.",
        },
    })
}
