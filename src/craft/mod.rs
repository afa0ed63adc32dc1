//! The draft of a packet: its bytes, its layers, and what the user pinned. Imports `wire`; no I/O.

pub mod build;
pub mod draft;
pub mod edit;
pub mod export;
pub mod fragment;
pub mod history;
mod items;
pub mod load;
mod option_text;
pub mod options;
pub mod presets;
pub mod print;
pub mod reply;
pub mod report;
pub mod stream;
mod varying;

pub use draft::{Draft, Override, Surroundings};
