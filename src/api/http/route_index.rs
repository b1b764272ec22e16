//! The routes by path: which permission a request needs, and the name of its route in traces.
//!
//! Built once from the table of routes, and searched with the router's own matcher, so that both always agree. A request
//! that no route answers needs a valid token of any role: the router answers it with 404 or 405, and nothing is done.

use std::collections::BTreeMap;

use axum::http::Method;

use crate::api::auth::permissions::Permission;
use crate::models::Role;

/// The routes of the API, by path.
pub(crate) struct RouteIndex(matchit::Router<RouteEntry>);

struct RouteEntry {
    /// The path as the table has it: `/api/v1/tasks/{task_id}`.
    pattern: String,
    permissions: Vec<(Method, Permission)>,
}

impl RouteIndex {
    /// Builds the index of these routes: path, method and permission.
    pub(crate) fn new(routes: impl IntoIterator<Item = (String, Method, Permission)>) -> Self {
        let mut by_path: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (path, method, permission) in routes {
            by_path.entry(path).or_default().push((method, permission));
        }
        let mut index = matchit::Router::new();
        for (pattern, permissions) in by_path {
            let entry = RouteEntry {
                pattern: pattern.clone(),
                permissions,
            };
            let inserted = index.insert(pattern, entry);
            inserted.expect("the router has accepted these paths");
        }
        Self(index)
    }

    /// Returns what a request needs.
    pub(crate) fn permission(&self, method: &Method, path: &str) -> Permission {
        let is_read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let method = if is_read { &Method::GET } else { method };
        let stated = self.0.at(path).ok().and_then(|found| {
            let mut rows = found.value.permissions.iter();
            rows.find(|(of, _)| of == method)
        });
        match stated {
            Some((_, permission)) => *permission,
            None => Permission::confined(Role::Read),
        }
    }

    /// Returns the path of the route that answers, with its parameters by name.
    pub(crate) fn pattern(&self, path: &str) -> Option<&str> {
        let found = self.0.at(path).ok()?;
        Some(&found.value.pattern)
    }
}

/// Returns whether this path is a health probe, which is neither counted nor traced.
pub(crate) fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> RouteIndex {
        let (path, read) = ("/api/v1/tasks/{task_id}", Permission::confined(Role::Read));
        RouteIndex::new([
            ("/healthz".to_owned(), Method::GET, Permission::Anyone),
            (path.to_owned(), Method::GET, read),
        ])
    }

    #[test]
    fn a_request_without_a_route_needs_any_token() {
        let (index, any) = (index(), Permission::confined(Role::Read));
        assert_eq!(index.permission(&Method::GET, "/api/v1/other"), any);
        assert_eq!(index.permission(&Method::POST, "/api/v1/other"), any);
        assert_eq!(index.permission(&Method::POST, "/healthz"), any);
        assert_eq!(
            index.permission(&Method::HEAD, "/healthz"),
            Permission::Anyone
        );
    }

    #[test]
    fn a_route_has_the_name_of_its_pattern() {
        let index = index();
        let expected = Some("/api/v1/tasks/{task_id}");
        assert_eq!(index.pattern("/api/v1/tasks/4711"), expected);
        assert_eq!(index.pattern("/api/v1/tasks/4711/other"), None);
    }
}
