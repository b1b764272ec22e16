//! The values of a pickle while it is decoded: they refer to one another by number, may be shared, and may form
//! cycles.

use std::borrow::Cow;

use crate::hive::wire::value::Made;
use crate::hive::wire::value::Value;

/// The number of a node.
pub(crate) type Id = usize;

#[derive(Debug)]
pub(crate) enum PickleNode<'a> {
    /// A value without parts.
    Plain(Value),
    Str(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function: its module and its name.
    Named(Id, Id),
    Object(Box<Object>),
}

/// A call, and what is done to its object afterwards.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) made: Made,
    /// The class or function that is called.
    pub(crate) callee: Id,
    pub(crate) args: Vec<Id>,
    pub(crate) items: Vec<Id>,
    pub(crate) pairs: Vec<(Id, Id)>,
    pub(crate) state: Option<Id>,
}

impl Object {
    pub(crate) fn new(made: Made, callee: Id, args: Vec<Id>) -> Self {
        Self {
            made,
            callee,
            args,
            items: Vec::new(),
            pairs: Vec::new(),
            state: None,
        }
    }
}
