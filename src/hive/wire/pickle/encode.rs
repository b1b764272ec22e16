//! Encodes values as protocol 4, without frames and without a memo: Python's reader needs neither.

use super::super::integer;
use super::opcode as op;
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Value;
use crate::hive::wire::value::{Made, Opaque};

/// Encodes one value as a whole pickle.
pub(crate) fn encode(value: &Value) -> Result<Vec<u8>, Error> {
    let mut encoder = Encoder {
        out: vec![op::PROTO, 4],
        limits: ReadLimits::default(),
        hashed: 0,
    };
    encoder.value(value, 1)?;
    encoder.out.push(op::STOP);
    Ok(encoder.out)
}

struct Encoder {
    out: Vec<u8>,
    limits: ReadLimits,
    /// The number of enclosing keys and sets: a set inside one must be a frozenset.
    hashed: usize,
}

impl Encoder {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.limits.check_depth(depth)?;
        match value {
            Value::None => self.out.push(op::NONE),
            Value::Bool(true) => self.out.push(op::NEWTRUE),
            Value::Bool(false) => self.out.push(op::NEWFALSE),
            Value::Int(number) => self.integer(*number),
            Value::BigInt(digits) => self.big_integer(digits)?,
            Value::Float(number) => self.put(op::BINFLOAT, &number.to_be_bytes()),
            Value::Str(text) => self.text(text),
            Value::Bytes(bytes) => {
                let opcodes = [op::SHORT_BINBYTES, op::BINBYTES, op::BINBYTES8];
                self.counted(opcodes, bytes);
            }
            Value::List(items) => {
                self.out.push(op::EMPTY_LIST);
                self.items(items, op::APPENDS, depth)?;
            }
            Value::Tuple(items) => self.tuple(items, depth)?,
            Value::Dict(pairs) => {
                self.out.push(op::EMPTY_DICT);
                self.pairs(pairs, depth)?;
            }
            Value::Set(items) => self.set(items, depth)?,
            Value::Opaque(opaque) => self.opaque(opaque, depth)?,
        }
        Ok(())
    }

    fn put(&mut self, opcode: u8, content: &[u8]) {
        self.out.push(opcode);
        self.out.extend_from_slice(content);
    }

    /// Writes the shortest form of the number.
    fn integer(&mut self, number: i64) {
        if let Ok(byte) = u8::try_from(number) {
            self.put(op::BININT1, &[byte]);
        } else if let Ok(short) = u16::try_from(number) {
            self.put(op::BININT2, &short.to_le_bytes());
        } else if let Ok(word) = i32::try_from(number) {
            self.put(op::BININT, &word.to_le_bytes());
        } else {
            self.put(op::LONG1, &[8]);
            self.out.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// Writes decimal text, which every protocol reads.
    fn big_integer(&mut self, digits: &str) -> Result<(), Error> {
        if !integer::is_big(digits) {
            let reason = "an integer that is too large or not made of digits";
            return Err(Error::unencodable(Codec::Pickle, reason));
        }
        self.put(op::LONG, digits.as_bytes());
        self.out.extend_from_slice(b"L\n");
        Ok(())
    }

    fn text(&mut self, text: &str) {
        let opcodes = [op::SHORT_BINUNICODE, op::BINUNICODE, op::BINUNICODE8];
        self.counted(opcodes, text.as_bytes());
    }

    /// Writes content after its length in 1, 4 or 8 bytes.
    fn counted(&mut self, [short, long, longest]: [u8; 3], content: &[u8]) {
        if let Ok(length) = u8::try_from(content.len()) {
            self.put(short, &[length]);
        } else if let Ok(length) = u32::try_from(content.len()) {
            self.put(long, &length.to_le_bytes());
        } else {
            self.put(longest, &(content.len() as u64).to_le_bytes());
        }
        self.out.extend_from_slice(content);
    }

    fn items(&mut self, items: &[Value], add: u8, depth: usize) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        self.out.push(op::MARK);
        self.all(items, depth)?;
        self.out.push(add);
        Ok(())
    }

    fn all(&mut self, items: &[Value], depth: usize) -> Result<(), Error> {
        items
            .iter()
            .try_for_each(|item| self.value(item, depth + 1))
    }

    fn tuple(&mut self, items: &[Value], depth: usize) -> Result<(), Error> {
        let close = match items.len() {
            0 => op::EMPTY_TUPLE,
            1 => op::TUPLE1,
            2 => op::TUPLE2,
            3 => op::TUPLE3,
            _ => op::TUPLE,
        };
        if close == op::TUPLE {
            self.out.push(op::MARK);
        }
        self.all(items, depth)?;
        self.out.push(close);
        Ok(())
    }

    fn set(&mut self, items: &[Value], depth: usize) -> Result<(), Error> {
        let frozen = self.hashed > 0;
        self.out.push(if frozen { op::MARK } else { op::EMPTY_SET });
        self.hashed += 1;
        if frozen {
            self.all(items, depth)?;
            self.out.push(op::FROZENSET);
        } else {
            self.items(items, op::ADDITEMS, depth)?;
        }
        self.hashed -= 1;
        Ok(())
    }

    fn pairs(&mut self, pairs: &[(Value, Value)], depth: usize) -> Result<(), Error> {
        if pairs.is_empty() {
            return Ok(());
        }
        self.out.push(op::MARK);
        for (key, value) in pairs {
            self.hashed += 1;
            self.value(key, depth + 1)?;
            self.hashed -= 1;
            self.value(value, depth + 1)?;
        }
        self.out.push(op::SETITEMS);
        Ok(())
    }

    fn opaque(&mut self, opaque: &Opaque, depth: usize) -> Result<(), Error> {
        self.text(&opaque.module);
        self.text(&opaque.name);
        self.out.push(op::STACK_GLOBAL);
        match opaque.made {
            Made::Named => return Ok(()),
            Made::Called => self.call(opaque, op::REDUCE, depth)?,
            Made::New => self.call(opaque, op::NEWOBJ, depth)?,
            Made::Indirect => {
                let reason = format!("a {} made in an unusual way", opaque.class());
                return Err(Error::unencodable(Codec::Pickle, reason));
            }
        }
        self.items(&opaque.items, op::APPENDS, depth)?;
        self.pairs(&opaque.pairs, depth)?;
        if let Some(state) = &opaque.state {
            self.value(state, depth + 1)?;
            self.out.push(op::BUILD);
        }
        Ok(())
    }

    fn call(&mut self, opaque: &Opaque, call: u8, depth: usize) -> Result<(), Error> {
        self.tuple(&opaque.args, depth)?;
        self.out.push(call);
        Ok(())
    }
}
