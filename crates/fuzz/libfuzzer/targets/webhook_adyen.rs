//! The target `webhook_adyen` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billfold_fuzz::run("webhook_adyen", data));
