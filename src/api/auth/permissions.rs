//! What a route requires of the caller. Each row of the table of routes states one of these.

use crate::models::Role;

/// What a request requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Nothing: anybody may call it, and a link on any page may lead there. Health, pages and the document are public.
    Anyone,
    /// A token of at least this role.
    Token {
        role: Role,
        /// Whether a token that is restricted to some processors suffices: the handler keeps to them.
        confined: bool,
    },
}

impl Permission {
    /// Requires a token of at least `role`; restricted tokens are accepted, and the handler keeps to their processors.
    pub(crate) const fn confined(role: Role) -> Self {
        let confined = true;
        Self::Token { role, confined }
    }

    /// Requires a token of at least `role` that is not restricted to some processors.
    pub(crate) const fn unrestricted(role: Role) -> Self {
        let confined = false;
        Self::Token { role, confined }
    }
}
