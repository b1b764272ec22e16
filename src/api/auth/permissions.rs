//! What a token must be good for, call by call. What is not in this table is for the strongest tokens
//! alone, so that a call nobody has thought of is closed and not open.

use axum::http::Method;

use crate::models::Role;

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: anybody may ask, and a link on any page may lead there. The pages and the document say what is
    /// public anyway.
    Nothing,
    /// A token of at least this role.
    Token {
        role: Role,
        /// Whether a token for some processors is enough: the call keeps to them by itself.
        confined: bool,
    },
}

/// What this request needs.
pub(crate) fn of(method: &Method, path: &str) -> Need {
    use Role::{Admin, Operate, Read, Submit};
    let is_read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let otherwise = whole(if is_read { Read } else { Admin });
    let mut parts = [""; 5];
    let parts = match path {
        "/healthz" | "/readyz" | "/" | "/docs" | "/openapi.json" if is_read => {
            return Need::Nothing;
        }
        _ if is_read && path.starts_with("/web/") => return Need::Nothing,
        "/ws/events" => return confined(Read),
        _ => match path.strip_prefix("/api/v1/") {
            Some(rest) => split(rest, &mut parts),
            None => return otherwise,
        },
    };
    if is_read {
        return match parts {
            ["tasks"]
            | ["tasks", _]
            | ["tasks", _, "logs" | "explain" | "stream"]
            | ["queue", "status"]
            | ["processors"]
            | ["session"] => confined(Read),
            ["tasks", _, "downstream"] => confined(Read),
            // It makes the disk work.
            ["doctor"] => whole(Operate),
            ["export"] => whole(Admin),
            _ => otherwise,
        };
    }
    match (method.as_str(), parts) {
        ("POST", ["login" | "logout"]) => Need::Nothing,
        ("POST", ["tasks"] | ["tasks", "batch"]) => confined(Submit),
        ("POST", ["tasks", "retry" | "abort"] | ["tasks", _, "retry"]) => confined(Operate),
        ("POST", ["queue", "pause" | "resume"] | ["queue", "task", _, "abort"]) => {
            confined(Operate)
        }
        ("POST", ["worker", "claim"] | ["worker", _, _]) => confined(Operate),
        ("POST", ["queue", "purge" | "emergency-stop"]) => whole(Operate),
        ("POST", ["reload"] | ["hive", "broadcast"]) => whole(Operate),
        ("DELETE", ["tasks"] | ["tasks", _]) => confined(Admin),
        _ => otherwise,
    }
}

const fn confined(role: Role) -> Need {
    let confined = true;
    Need::Token { role, confined }
}

const fn whole(role: Role) -> Need {
    let confined = false;
    Need::Token { role, confined }
}

/// The parts of a path; of one that has too many, which no call has, none.
fn split<'a, 'b>(path: &'a str, parts: &'b mut [&'a str; 5]) -> &'b [&'a str] {
    let mut count = 0;
    for part in path.split('/') {
        if count == parts.len() {
            return &[];
        }
        parts[count] = part;
        count += 1;
    }
    &parts[..count]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_closed() {
        let (get, post) = (Method::GET, Method::POST);
        assert_eq!(of(&get, "/api/v1/unheard-of"), whole(Role::Read));
        assert_eq!(of(&post, "/api/v1/unheard-of"), whole(Role::Admin));
        assert_eq!(of(&post, "/healthz"), whole(Role::Admin));
        assert_eq!(of(&get, "/api/v1/tasks/a/b/c/d/e/f"), whole(Role::Read));
        assert_eq!(of(&Method::PUT, "/api/v1/tasks"), whole(Role::Admin));
        assert_eq!(of(&post, "/api/v1/import"), whole(Role::Admin));
        assert_eq!(of(&get, "/metrics"), whole(Role::Read));
    }
}
