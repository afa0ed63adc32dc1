//! Tables, bit access, checksums, dissection and notation. Imports nothing of ours; no I/O.
//!
//! A packet is its bytes. A protocol is one `static` [`table::Header`] in [`protocols`]; [`dissect`] turns bytes into a
//! list of [`view::Layer`]s, each a table with the bytes that it speaks of, and every view is read off that.

pub mod answer;
pub mod bits;
pub mod checksum;
pub mod compare;
mod compare_fields;
mod compare_text;
pub mod digest;
pub mod dissect;
pub mod dump;
mod field;
pub mod flow;
mod handling;
pub mod items;
pub mod keyed;
pub mod keys;
pub mod notation;
mod notation_parts;
mod option;
mod part;
pub mod protocols;
pub mod readers;
pub mod reassembly;
mod reassembly_datagram;
mod reassembly_fragment;
#[cfg(test)]
mod reassembly_tests;
pub mod summary;
pub mod table;
pub mod value;
pub mod view;
mod when;
