#![no_main]

libfuzzer_sys::fuzz_target!(|program: &[u8]| memvault::model::link::run(program));
