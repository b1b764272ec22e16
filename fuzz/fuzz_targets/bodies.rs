#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| venom_core::fuzzing::bodies(bytes));
