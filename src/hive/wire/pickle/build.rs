//! Builds one tree of values from the nodes of a pickle.

use super::super::limits::ReadBudget;
use super::familiar;
use super::nodes::{Id, Object, PickleNode};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Value;
use crate::hive::wire::value::{Made, Opaque};

/// Returns the value of `root`. A node that is named twice is copied, and each copy counts against the limits; a node
/// that contains itself is an error.
pub(crate) fn tree(
    nodes: &[PickleNode<'_>],
    root: Id,
    limits: &ReadLimits,
) -> Result<Value, Error> {
    let mut builder = Builder {
        nodes,
        open: vec![false; nodes.len()],
        budget: ReadBudget::new(limits),
    };
    builder.value(root, 1)
}

struct Builder<'n, 'a> {
    nodes: &'n [PickleNode<'a>],
    /// The nodes under construction, from the root down.
    open: Vec<bool>,
    budget: ReadBudget,
}

impl Builder<'_, '_> {
    fn value(&mut self, id: Id, depth: usize) -> Result<Value, Error> {
        self.budget.value(depth)?;
        if std::mem::replace(&mut self.open[id], true) {
            return Err(Error::malformed(
                Codec::Pickle,
                "a value that contains itself",
            ));
        }
        let value = self.content(id, depth)?;
        self.open[id] = false;
        Ok(value)
    }

    fn content(&mut self, id: Id, depth: usize) -> Result<Value, Error> {
        let nodes = self.nodes;
        Ok(match &nodes[id] {
            PickleNode::Plain(Value::BigInt(digits)) => {
                self.budget.content(digits.len())?;
                Value::BigInt(digits.clone())
            }
            PickleNode::Plain(value) => value.clone(),
            PickleNode::Str(text) => {
                self.budget.content(text.len())?;
                Value::Str(text.clone().into_owned())
            }
            PickleNode::Bytes(bytes) => {
                self.budget.content(bytes.len())?;
                Value::Bytes(bytes.clone().into_owned())
            }
            PickleNode::List(items) => Value::List(self.values(items, depth)?),
            PickleNode::Tuple(items) => Value::Tuple(self.values(items, depth)?),
            PickleNode::Set(items) => Value::Set(self.values(items, depth)?),
            PickleNode::Dict(pairs) => Value::Dict(self.pairs(pairs, depth)?),
            PickleNode::Named(module, name) => self.named(*module, *name)?.into(),
            PickleNode::Object(object) => familiar::simplified(self.object(object, depth)?),
        })
    }

    fn values(&mut self, items: &[Id], depth: usize) -> Result<Vec<Value>, Error> {
        let values = items.iter().map(|item| self.value(*item, depth + 1));
        values.collect()
    }

    fn pairs(&mut self, pairs: &[(Id, Id)], depth: usize) -> Result<Vec<(Value, Value)>, Error> {
        let values = pairs
            .iter()
            .map(|(key, value)| Ok((self.value(*key, depth + 1)?, self.value(*value, depth + 1)?)));
        values.collect()
    }

    fn named(&mut self, module: Id, name: Id) -> Result<Opaque, Error> {
        let module = familiar::module(self.text(module)?);
        let name = familiar::name(&module, self.text(name)?);
        Ok(Opaque::new(module, name, Made::Named, Vec::new()))
    }

    fn text(&mut self, id: Id) -> Result<String, Error> {
        let PickleNode::Str(text) = &self.nodes[id] else {
            return Err(Error::malformed(Codec::Pickle, "a name that is no text"));
        };
        self.budget.content(text.len())?;
        Ok(text.clone().into_owned())
    }

    fn object(&mut self, object: &Object, depth: usize) -> Result<Opaque, Error> {
        let mut opaque = self.called(object, depth)?;
        opaque.args.extend(self.values(&object.args, depth)?);
        opaque.items = self.values(&object.items, depth)?;
        opaque.pairs = self.pairs(&object.pairs, depth)?;
        let state = object.state.map(|state| self.value(state, depth + 1));
        opaque.state = state.transpose()?;
        Ok(opaque)
    }

    /// Returns the object before its arguments. If a call made the callee itself, that is the first argument.
    fn called(&mut self, object: &Object, depth: usize) -> Result<Opaque, Error> {
        match self.value(object.callee, depth + 1)? {
            Value::Opaque(callee) if callee.made == Made::Named => Ok(Opaque {
                made: object.made,
                ..*callee
            }),
            Value::Opaque(callee) => {
                let (module, name) = (callee.module.clone(), callee.name.clone());
                let args = vec![Value::Opaque(callee)];
                Ok(Opaque::new(module, name, Made::Indirect, args))
            }
            _ => Err(Error::malformed(Codec::Pickle, "a call of a plain value")),
        }
    }
}
