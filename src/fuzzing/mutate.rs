//! Random changes of inputs, where no fuzzer with coverage is at hand.

use fastrand::Rng;

/// The longest input that changes make.
const LIMIT: usize = 16 << 10;

/// Bytes that mean something to one of the readers.
const TELLING: &[u8] = b"\0\x01\x7f\x80\xff\"'\\{}[]:,#$=\n\r.()0-eE\x85\x94\xc1\xd4\xdf";

/// Returns a changed copy of one of the inputs, perhaps with a part of another in it.
pub(super) fn mutated(inputs: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut bytes = random.choice(inputs).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..=8) {
        change(&mut bytes, inputs, random);
    }
    bytes.truncate(LIMIT);
    bytes
}

fn change(bytes: &mut Vec<u8>, inputs: &[Vec<u8>], random: &mut Rng) {
    let at = random.usize(0..=bytes.len());
    let length = random.usize(0..=(bytes.len() - at).min(32));
    let telling = TELLING[random.usize(0..TELLING.len())];
    match random.u8(0..7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
        1 if at < bytes.len() => bytes[at] = random.u8(..),
        2 if at < bytes.len() => bytes[at] = telling,
        3 => bytes.insert(at, telling),
        4 => drop(bytes.drain(at..at + length)),
        5 => {
            let part = bytes[at..at + length].repeat(random.usize(1..=4));
            bytes.splice(at..at, part);
        }
        _ => {
            let other = random.choice(inputs).map(Vec::as_slice).unwrap_or_default();
            let from = random.usize(0..=other.len());
            let to = random.usize(from..=other.len());
            bytes.splice(at..at + length, other[from..to].iter().copied());
        }
    }
}
