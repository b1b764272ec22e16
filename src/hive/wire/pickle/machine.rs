//! Pickle's stack machine without side effects: it records names and calls and runs none.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::integer;
use super::super::limits::ReadBudget;
use super::super::reader::ByteReader;
use super::nodes::{Id, Object, PickleNode};
use super::{opcode as op, text};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Made;
use crate::hive::wire::value::Value;

/// Runs a whole pickle; returns all nodes, and the node of its value.
pub(crate) fn run<'a>(
    message: &'a [u8],
    limits: &ReadLimits,
) -> Result<(Vec<PickleNode<'a>>, Id), Error> {
    let mut machine = Machine {
        reader: ByteReader::new(message, Codec::Pickle),
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        limits: *limits,
        budget: ReadBudget::new(limits),
    };
    loop {
        let opcode = machine.reader.byte()?;
        if opcode == op::STOP {
            let root = machine.pop()?;
            return Ok((machine.nodes, root));
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    reader: ByteReader<'a>,
    nodes: Vec<PickleNode<'a>>,
    stack: Vec<Id>,
    /// The stack positions of the open marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    limits: ReadLimits,
    /// Counts everything on the stack, and marks, which need no more than a byte each.
    budget: ReadBudget,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Result<(), Error> {
        match opcode {
            op::PROTO => self.protocol(),
            op::FRAME => self.reader.array::<8>().map(drop),
            op::MARK => self.mark(),
            op::POP => self.discard(),
            op::POP_MARK => self.pop_mark().map(drop),
            op::DUP => self.duplicate(),
            op::PUT | op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => self.remember(opcode),
            op::GET | op::BINGET | op::LONG_BINGET => self.recall(opcode),
            op::APPEND | op::APPENDS | op::ADDITEMS => self.add_items(opcode),
            op::SETITEM | op::SETITEMS => self.set_items(opcode),
            op::BUILD => self.set_state(),
            _ => {
                let node = self.node(opcode)?;
                self.push(node)
            }
        }
    }

    /// Handles the opcodes that make a value.
    fn node(&mut self, opcode: u8) -> Result<PickleNode<'a>, Error> {
        Ok(match opcode {
            op::NONE => PickleNode::Plain(Value::None),
            op::NEWTRUE => PickleNode::Plain(Value::Bool(true)),
            op::NEWFALSE => PickleNode::Plain(Value::Bool(false)),
            op::INT | op::LONG | op::FLOAT => PickleNode::Plain(self.written_number(opcode)?),
            op::BININT | op::BININT1 | op::BININT2 => {
                PickleNode::Plain(self.short_integer(opcode)?)
            }
            op::LONG1 | op::LONG4 => PickleNode::Plain(self.long_integer(opcode)?),
            op::BINFLOAT => {
                PickleNode::Plain(Value::Float(f64::from_be_bytes(self.reader.array()?)))
            }
            op::STRING => text::old_string(Cow::Owned(text::quoted(&mut self.reader)?)),
            op::UNICODE => PickleNode::Str(text::raw_unicode(self.reader.line()?).into()),
            op::BINSTRING | op::SHORT_BINSTRING => {
                text::old_string(Cow::Borrowed(self.counted(opcode)?))
            }
            op::SHORT_BINUNICODE | op::BINUNICODE | op::BINUNICODE8 => {
                PickleNode::Str(text::utf8(self.counted(opcode)?))
            }
            op::SHORT_BINBYTES | op::BINBYTES | op::BINBYTES8 | op::BYTEARRAY8 => {
                PickleNode::Bytes(self.counted(opcode)?.into())
            }
            op::EMPTY_LIST => PickleNode::List(Vec::new()),
            op::EMPTY_TUPLE => PickleNode::Tuple(Vec::new()),
            op::EMPTY_DICT => PickleNode::Dict(Vec::new()),
            op::EMPTY_SET => PickleNode::Set(Vec::new()),
            op::LIST => PickleNode::List(self.pop_mark()?),
            op::TUPLE => PickleNode::Tuple(self.pop_mark()?),
            op::FROZENSET => PickleNode::Set(self.pop_mark()?),
            op::DICT => {
                let flat = self.pop_mark()?;
                PickleNode::Dict(self.pairs(&flat)?)
            }
            op::TUPLE1 => PickleNode::Tuple(self.pop_many(1)?),
            op::TUPLE2 => PickleNode::Tuple(self.pop_many(2)?),
            op::TUPLE3 => PickleNode::Tuple(self.pop_many(3)?),
            op::GLOBAL => self.written_name()?,
            op::STACK_GLOBAL => self.named()?,
            op::REDUCE => self.call(Made::Called)?,
            op::NEWOBJ => self.call(Made::New)?,
            op::NEWOBJ_EX => self.call_with_keywords()?,
            op::INST | op::OBJ => self.old_instance(opcode)?,
            // Persistent ids, the extension registry, and out-of-band buffers.
            unknown => return Err(self.wrong(format!("the opcode 0x{unknown:02x}"))),
        })
    }

    fn wrong(&self, reason: impl std::fmt::Display) -> Error {
        self.reader.wrong(reason)
    }

    fn protocol(&mut self) -> Result<(), Error> {
        match self.reader.byte()? {
            0..=5 => Ok(()),
            newer => Err(self.wrong(format!("protocol {newer}, newer than 5"))),
        }
    }

    // The stack.

    fn push(&mut self, node: PickleNode<'a>) -> Result<(), Error> {
        self.nodes.push(node);
        self.push_id(self.nodes.len() - 1)
    }

    fn push_id(&mut self, id: Id) -> Result<(), Error> {
        self.budget.value(1)?;
        self.stack.push(id);
        Ok(())
    }

    /// Returns where the part of the stack above the last mark begins; values below stay untouched.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, Error> {
        self.pop_many(1).map(|ids| ids[0])
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, Error> {
        let start = self.stack.len().checked_sub(count);
        match start {
            Some(start) if start >= self.floor() => Ok(self.stack.split_off(start)),
            _ => Err(self.wrong("too few values on the stack")),
        }
    }

    fn top(&self) -> Result<Id, Error> {
        let above = self.stack.get(self.floor()..).unwrap_or_default();
        let top = above.last().copied();
        top.ok_or_else(|| self.wrong("nothing on the stack"))
    }

    fn mark(&mut self) -> Result<(), Error> {
        self.budget.value(1)?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, Error> {
        let mark = self.marks.pop();
        let mark = mark.ok_or_else(|| self.wrong("no mark on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    /// Removes the top, a value or a mark.
    fn discard(&mut self) -> Result<(), Error> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn duplicate(&mut self) -> Result<(), Error> {
        let top = self.top()?;
        self.push_id(top)
    }

    // The memo.

    fn remember(&mut self, opcode: u8) -> Result<(), Error> {
        let key = match opcode {
            op::MEMOIZE => self.memo.len() as u64,
            _ => self.memo_key(opcode)?,
        };
        let top = self.top()?;
        self.memo.insert(key, top);
        self.limits.check_memo(self.memo.len())
    }

    fn recall(&mut self, opcode: u8) -> Result<(), Error> {
        let key = self.memo_key(opcode)?;
        let id = self.memo.get(&key).copied();
        let id = id.ok_or_else(|| self.wrong(format!("nothing remembered as {key}")))?;
        self.push_id(id)
    }

    fn memo_key(&mut self, opcode: u8) -> Result<u64, Error> {
        match opcode {
            op::BINPUT | op::BINGET => Ok(self.reader.byte()?.into()),
            op::LONG_BINPUT | op::LONG_BINGET => {
                Ok(u32::from_le_bytes(self.reader.array()?).into())
            }
            _ => {
                let key = self.reader.text_line()?.parse();
                key.map_err(|_| self.wrong("a memo entry without a number"))
            }
        }
    }

    // Values without parts.

    fn counted(&mut self, opcode: u8) -> Result<&'a [u8], Error> {
        let length = match opcode {
            op::SHORT_BINSTRING | op::SHORT_BINUNICODE | op::SHORT_BINBYTES => {
                self.reader.byte()?.into()
            }
            op::BINUNICODE8 | op::BINBYTES8 | op::BYTEARRAY8 => {
                u64::from_le_bytes(self.reader.array()?)
            }
            _ => u32::from_le_bytes(self.reader.array()?).into(),
        };
        self.reader.take_counted(length)
    }

    fn short_integer(&mut self, opcode: u8) -> Result<Value, Error> {
        Ok(Value::Int(match opcode {
            op::BININT1 => self.reader.byte()?.into(),
            op::BININT2 => u16::from_le_bytes(self.reader.array()?).into(),
            _ => i32::from_le_bytes(self.reader.array()?).into(),
        }))
    }

    fn long_integer(&mut self, opcode: u8) -> Result<Value, Error> {
        let length = match opcode {
            op::LONG1 => self.reader.byte()?.into(),
            _ => u32::from_le_bytes(self.reader.array()?),
        };
        let bytes = self.reader.take_counted(length.into())?;
        integer::from_le(bytes).ok_or_else(|| self.wrong("an integer that is too large"))
    }

    fn written_number(&mut self, opcode: u8) -> Result<Value, Error> {
        let line = self.reader.text_line()?.trim_ascii();
        let number = match (opcode, line) {
            (op::FLOAT, _) => line.parse().ok().map(Value::Float),
            (op::INT, "00") => Some(Value::Bool(false)),
            (op::INT, "01") => Some(Value::Bool(true)),
            _ => integer::from_text(line.trim_end_matches('L')),
        };
        number.ok_or_else(|| self.wrong("a number that is none, or too large"))
    }

    // Containers.

    fn pairs(&self, flat: &[Id]) -> Result<Vec<(Id, Id)>, Error> {
        let (pairs, odd) = flat.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(self.wrong("a key without a value"));
        }
        Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
    }

    fn add_items(&mut self, opcode: u8) -> Result<(), Error> {
        let items = match opcode {
            op::APPEND => self.pop_many(1)?,
            _ => self.pop_mark()?,
        };
        let id = self.top()?;
        match (&mut self.nodes[id], opcode) {
            (PickleNode::List(list), op::APPEND | op::APPENDS) => list.extend(items),
            (PickleNode::Set(set), op::ADDITEMS) => set.extend(items),
            (PickleNode::Object(object), _) => object.items.extend(items),
            _ => return Err(self.wrong("items for what is no list and no set")),
        }
        Ok(())
    }

    fn set_items(&mut self, opcode: u8) -> Result<(), Error> {
        let flat = match opcode {
            op::SETITEM => self.pop_many(2)?,
            _ => self.pop_mark()?,
        };
        let pairs = self.pairs(&flat)?;
        let id = self.top()?;
        match &mut self.nodes[id] {
            PickleNode::Dict(dict) => dict.extend(pairs),
            PickleNode::Object(object) => object.pairs.extend(pairs),
            _ => return Err(self.wrong("keys and values for what is no dict")),
        }
        Ok(())
    }

    // Names and calls.

    fn written_name(&mut self) -> Result<PickleNode<'a>, Error> {
        let module = self.name_line()?;
        let name = self.name_line()?;
        Ok(PickleNode::Named(module, name))
    }

    /// Reads a line as a text that is not put on the stack.
    fn name_line(&mut self) -> Result<Id, Error> {
        self.budget.value(1)?;
        let line = self.reader.text_line()?;
        self.nodes.push(PickleNode::Str(line.into()));
        Ok(self.nodes.len() - 1)
    }

    fn named(&mut self) -> Result<PickleNode<'a>, Error> {
        let both = self.pop_many(2)?;
        match (&self.nodes[both[0]], &self.nodes[both[1]]) {
            (PickleNode::Str(_), PickleNode::Str(_)) => Ok(PickleNode::Named(both[0], both[1])),
            _ => Err(self.wrong("a name that is no text")),
        }
    }

    fn call(&mut self, made: Made) -> Result<PickleNode<'a>, Error> {
        let both = self.pop_many(2)?;
        let PickleNode::Tuple(args) = &self.nodes[both[1]] else {
            return Err(self.wrong("arguments that are no tuple"));
        };
        // A copy counts against the limits, since args can be named by number any number of times.
        let args = args.clone();
        self.pay_for(&args)?;
        self.object(made, both[0], args)
    }

    fn pay_for(&mut self, copied: &[Id]) -> Result<(), Error> {
        copied.iter().try_for_each(|_| self.budget.value(1))
    }

    fn call_with_keywords(&mut self) -> Result<PickleNode<'a>, Error> {
        let keywords = self.pop()?;
        let plain = matches!(&self.nodes[keywords], PickleNode::Dict(pairs) if pairs.is_empty());
        let made = if plain { Made::New } else { Made::Indirect };
        let mut node = self.call(made)?;
        if let (false, PickleNode::Object(object)) = (plain, &mut node) {
            object.args.push(keywords);
        }
        Ok(node)
    }

    fn old_instance(&mut self, opcode: u8) -> Result<PickleNode<'a>, Error> {
        if opcode == op::INST {
            let class = self.written_name()?;
            self.nodes.push(class);
            let class = self.nodes.len() - 1;
            let args = self.pop_mark()?;
            return self.object(Made::Called, class, args);
        }
        let mut args = self.pop_mark()?;
        if args.is_empty() {
            return Err(self.wrong("an instance without a class"));
        }
        let class = args.remove(0);
        self.object(Made::Called, class, args)
    }

    fn object(&self, made: Made, callee: Id, args: Vec<Id>) -> Result<PickleNode<'a>, Error> {
        match &self.nodes[callee] {
            PickleNode::Named(..) | PickleNode::Object(_) => Ok(PickleNode::Object(Box::new(
                Object::new(made, callee, args),
            ))),
            _ => Err(self.wrong("a call of what is no class and no function")),
        }
    }

    fn set_state(&mut self) -> Result<(), Error> {
        let state = self.pop()?;
        let id = self.top()?;
        match &mut self.nodes[id] {
            PickleNode::Object(object) => object.state = Some(state),
            _ => return Err(self.wrong("attributes for what is no object")),
        }
        Ok(())
    }
}
