//! Any bytes of any link type: layers, rows, trees and field texts.
#![no_main]

#[path = "../../tests/common/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::dissect_bytes(data));
