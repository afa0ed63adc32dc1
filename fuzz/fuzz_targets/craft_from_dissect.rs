//! A packet becomes a draft and keeps its bytes, and so does its notation.
#![no_main]

#[path = "../../tests/common/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::craft_from_dissect(data));
