//! Converts integers of any size between two's complement, decimal text and [`Value`].

use crate::hive::wire::value::Value;

/// The maximum number of digits, the same as Python's for text and `int`.
const DIGITS: usize = 4_300;
/// The number of bytes for that many digits; the conversion takes quadratic time.
const BYTES: usize = 1_786;

const CHUNK: u64 = 1_000_000_000;
const CHUNK_DIGITS: usize = 9;

/// Parses a decimal text with an optional sign; `None` for any other text.
pub(crate) fn from_text(text: &str) -> Option<Value> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(Value::Int(0));
    }
    let canonical = format!("{sign}{digits}");
    if let Ok(small) = canonical.parse() {
        return Some(Value::Int(small));
    }
    (digits.len() <= DIGITS).then_some(Value::BigInt(canonical))
}

/// Returns true if a text is a [`Value::BigInt`] as [`from_text`] makes it.
pub(crate) fn is_big(text: &str) -> bool {
    matches!(from_text(text), Some(Value::BigInt(canonical)) if canonical == text)
}

/// Converts little-endian two's complement; `None` if the integer is too large.
pub(crate) fn from_le(bytes: &[u8]) -> Option<Value> {
    let negative = bytes.last().is_some_and(|top| top & 0x80 != 0);
    if bytes.len() <= 8 {
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        return Some(Value::Int(i64::from_le_bytes(wide)));
    }
    if bytes.len() > BYTES {
        return None;
    }
    let magnitude = if negative {
        negated(bytes)
    } else {
        bytes.to_vec()
    };
    let sign = if negative { "-" } else { "" };
    from_text(&format!("{sign}{}", decimal(&magnitude)))
}

fn negated(bytes: &[u8]) -> Vec<u8> {
    let mut carry = true;
    bytes
        .iter()
        .map(|byte| {
            let (sum, overflow) = (!byte).overflowing_add(u8::from(carry));
            carry = overflow;
            sum
        })
        .collect()
}

fn decimal(magnitude: &[u8]) -> String {
    let mut chunks: Vec<u64> = vec![0];
    for byte in magnitude.iter().rev() {
        let mut carry = u64::from(*byte);
        for chunk in &mut chunks {
            let sum = *chunk * 256 + carry;
            *chunk = sum % CHUNK;
            carry = sum / CHUNK;
        }
        if carry > 0 {
            chunks.push(carry);
        }
    }
    chunks
        .iter()
        .rev()
        .map(|chunk| format!("{chunk:0CHUNK_DIGITS$}"))
        .collect()
}
