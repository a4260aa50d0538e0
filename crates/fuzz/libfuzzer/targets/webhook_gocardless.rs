//! The target `webhook_gocardless` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| billfold_fuzz::run("webhook_gocardless", data));
