//! The values of a pickle while it is read: they refer to one another by number, may be shared, and may
//! go round in circles.

use std::borrow::Cow;

use super::super::{Made, Value};

/// The number of a node.
pub(super) type Id = usize;

#[derive(Debug)]
pub(super) enum Node<'a> {
    /// A value with nothing inside.
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

/// What a call makes, and what is done to it afterwards.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) made: Made,
    /// What is called.
    pub(super) callee: Id,
    pub(super) args: Vec<Id>,
    pub(super) items: Vec<Id>,
    pub(super) pairs: Vec<(Id, Id)>,
    pub(super) state: Option<Id>,
}

impl Object {
    pub(super) fn new(made: Made, callee: Id, args: Vec<Id>) -> Self {
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
