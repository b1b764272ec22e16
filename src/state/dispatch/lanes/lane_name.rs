//! The name of a lane: its processor and, if its tasks have one, their concurrency key. Plain data.

/// A borrowed lane name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LaneName<'a> {
    pub(crate) processor: &'a str,
    pub(crate) key: Option<&'a str>,
}

/// An owned lane name: processor, key. SQL reads it as a JSON array of two.
pub(crate) type OwnedLane = (String, Option<String>);
