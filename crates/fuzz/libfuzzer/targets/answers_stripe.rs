//! The target `answers_stripe` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billfold_fuzz::run("answers_stripe", data));
