//! Values as msgpack, as Python's `msgpack` package writes and reads them.

use rmp::Marker;
use rmp::encode as write;

use super::json;
use super::limits::ReadBudget;
use super::reader::ByteReader;
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Opaque;
use crate::hive::wire::value::Value;

pub(crate) fn decode(message: &[u8], limits: &ReadLimits) -> Result<Value, Error> {
    let mut decoder = Decoder {
        reader: ByteReader::new(message, Codec::Msgpack),
        budget: ReadBudget::new(limits),
    };
    let value = decoder.value(1)?;
    if !decoder.reader.is_at_end() {
        return Err(decoder.reader.wrong("there is more after the value"));
    }
    Ok(value)
}

struct Decoder<'a> {
    reader: ByteReader<'a>,
    budget: ReadBudget,
}

impl Decoder<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.budget.value(depth)?;
        let marker = Marker::from_u8(self.reader.byte()?);
        Ok(match marker {
            Marker::Null => Value::None,
            Marker::True => Value::Bool(true),
            Marker::False => Value::Bool(false),
            Marker::FixPos(number) => Value::Int(number.into()),
            Marker::FixNeg(number) => Value::Int(number.into()),
            Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => self.unsigned(marker)?,
            Marker::I8 => Value::Int(i8::from_be_bytes(self.reader.array()?).into()),
            Marker::I16 => Value::Int(i16::from_be_bytes(self.reader.array()?).into()),
            Marker::I32 => Value::Int(i32::from_be_bytes(self.reader.array()?).into()),
            Marker::I64 => Value::Int(i64::from_be_bytes(self.reader.array()?)),
            Marker::F32 => Value::Float(f32::from_be_bytes(self.reader.array()?).into()),
            Marker::F64 => Value::Float(f64::from_be_bytes(self.reader.array()?)),
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                self.text(marker)?
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => self.bytes(marker)?,
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => self.list(marker, depth)?,
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => self.dict(marker, depth)?,
            Marker::Reserved => return Err(self.reader.wrong("the reserved byte")),
            extension => self.extension(extension)?,
        })
    }

    fn unsigned(&mut self, marker: Marker) -> Result<Value, Error> {
        let number = self.unsigned_of(marker)?;
        Ok(i64::try_from(number).map_or_else(|_| Value::BigInt(number.to_string()), Value::Int))
    }

    /// Reads the count or the number after a marker, as wide as the marker says.
    fn unsigned_of(&mut self, marker: Marker) -> Result<u64, Error> {
        use Marker as M;
        Ok(match marker {
            M::FixStr(count) | M::FixArray(count) | M::FixMap(count) => count.into(),
            M::U8 | M::Str8 | M::Bin8 | M::Ext8 => self.reader.byte()?.into(),
            M::U16 | M::Str16 | M::Bin16 | M::Ext16 | M::Array16 | M::Map16 => {
                u16::from_be_bytes(self.reader.array()?).into()
            }
            M::U64 => u64::from_be_bytes(self.reader.array()?),
            _ => u32::from_be_bytes(self.reader.array()?).into(),
        })
    }

    fn text(&mut self, marker: Marker) -> Result<Value, Error> {
        let length = self.unsigned_of(marker)?;
        let bytes = self.reader.take_counted(length)?;
        self.budget.content(bytes.len())?;
        // U+FFFD replaces halves of surrogate pairs, which no Rust text can hold.
        Ok(String::from_utf8_lossy(bytes).into_owned().into())
    }

    fn bytes(&mut self, marker: Marker) -> Result<Value, Error> {
        let length = self.unsigned_of(marker)?;
        self.bytes_of(length)
    }

    fn bytes_of(&mut self, length: u64) -> Result<Value, Error> {
        let bytes = self.reader.take_counted(length)?;
        self.budget.content(bytes.len())?;
        Ok(Value::Bytes(bytes.to_vec()))
    }

    /// Grows with the values: the count is only a claim.
    fn list(&mut self, marker: Marker, depth: usize) -> Result<Value, Error> {
        let count = self.unsigned_of(marker)?;
        let items = (0..count).map(|_| self.value(depth + 1));
        Ok(Value::List(items.collect::<Result<_, _>>()?))
    }

    fn dict(&mut self, marker: Marker, depth: usize) -> Result<Value, Error> {
        let count = self.unsigned_of(marker)?;
        let pairs = (0..count).map(|_| Ok((self.value(depth + 1)?, self.value(depth + 1)?)));
        Ok(Value::Dict(pairs.collect::<Result<_, Error>>()?))
    }

    fn extension(&mut self, marker: Marker) -> Result<Value, Error> {
        let length = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            counted => self.unsigned_of(counted)?,
        };
        let code = i8::from_be_bytes(self.reader.array()?);
        let content = self.bytes_of(length)?;
        let args = [Value::Int(code.into()), content];
        Ok(Value::called("msgpack", "ExtType", args))
    }
}

pub(crate) fn encode(value: &Value) -> Result<Vec<u8>, Error> {
    json::check_depth(value, 1)?;
    let mut out = Vec::new();
    put(&mut out, value)?;
    Ok(out)
}

fn put(out: &mut Vec<u8>, value: &Value) -> Result<(), Error> {
    match value {
        Value::None => write::write_nil(out).map_err(too_large)?,
        Value::Bool(truth) => write::write_bool(out, *truth).map_err(too_large)?,
        Value::Int(number) => drop(write::write_sint(out, *number).map_err(too_large)?),
        Value::BigInt(digits) => put_big(out, digits)?,
        Value::Float(number) => write::write_f64(out, *number).map_err(too_large)?,
        Value::Str(text) => {
            length(text.len())?;
            write::write_str(out, text).map_err(too_large)?;
        }
        Value::Bytes(bytes) => {
            length(bytes.len())?;
            write::write_bin(out, bytes).map_err(too_large)?;
        }
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => put_list(out, items)?,
        Value::Dict(pairs) => put_dict(out, pairs)?,
        Value::Opaque(opaque) => put_opaque(out, opaque)?,
    }
    Ok(())
}

fn put_list(out: &mut Vec<u8>, items: &[Value]) -> Result<(), Error> {
    write::write_array_len(out, length(items.len())?).map_err(too_large)?;
    items.iter().try_for_each(|item| put(out, item))
}

fn put_dict(out: &mut Vec<u8>, pairs: &[(Value, Value)]) -> Result<(), Error> {
    write::write_map_len(out, length(pairs.len())?).map_err(too_large)?;
    for (key, value) in pairs {
        put_key(out, key)?;
        put(out, value)?;
    }
    Ok(())
}

/// Writes a key; one that is neither text nor bytes becomes a text as in JSON, because Python's reader refuses
/// others.
fn put_key(out: &mut Vec<u8>, key: &Value) -> Result<(), Error> {
    match key {
        Value::Str(_) | Value::Bytes(_) => put(out, key),
        other => put(out, &Value::Str(other.to_key())),
    }
}

fn put_big(out: &mut Vec<u8>, digits: &str) -> Result<(), Error> {
    let number = digits
        .parse::<u64>()
        .map_err(|_| Error::unencodable(Codec::Msgpack, "an integer of more than 64 bits"))?;
    write::write_uint(out, number).map(drop).map_err(too_large)
}

/// Writes the same description as in JSON.
fn put_opaque(out: &mut Vec<u8>, opaque: &Opaque) -> Result<(), Error> {
    let described = Value::from(opaque.clone()).to_json();
    put(out, &Value::from_json(&described))
}

fn length(length: usize) -> Result<u32, Error> {
    u32::try_from(length).map_err(too_large)
}

fn too_large(_: impl std::fmt::Debug) -> Error {
    Error::unencodable(Codec::Msgpack, "a text, a list or a dict that is too long")
}
