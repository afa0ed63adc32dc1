//! One filter language: Wireshark's syntax over the tables' keys, and tcpdump's words, read to one tree. Imports `wire`.

pub mod bpf;
mod bpf_make;
pub mod column;
pub mod complete;
mod eval;
mod glance;
mod index;
mod lex;
mod literal;
mod needs;
mod parse;
pub mod pick;
mod primitives;
mod services;
mod slice;
pub mod source;
pub mod tree;
mod typing;
pub mod values;
pub mod words;
mod words_complete;
mod words_id;
mod words_lex;
mod words_parse;

use crate::wire::digest::Digest;
use crate::wire::dissect::{Dissection, dissect_while};
use crate::wire::flow::Told;
/// What is wrong in a filter, and where.
pub use crate::wire::notation::NotationError as FilterError;
pub use bpf_make::Target;
pub use column::{Column, SortBy};
use glance::Glance;
pub use needs::Needs;
use tree::Test;

/// A filter of each reading, to show what may be typed.
pub const EXAMPLE: &str = "tcp.flags.syn == 1 && ip.addr == 10.77.0.2, or: host 10.77.0.2 and port 80";

/// A filter of what somebody may look for.
pub const EXAMPLE_SOUGHT: &str = "tcp.flags.reset == 1";

/// What is known of a packet beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Its number, from 1 on.
    pub number: u64,
    /// Length on the wire, in bytes.
    pub original: u32,
    /// Nanoseconds since 1970, where they are known.
    pub time_ns: Option<u64>,
    /// Those of the first packet that has them.
    pub first_ns: u64,
    /// Those of the packet before.
    pub previous_ns: u64,
    /// The number of its interface, from 0 on, where the file has interfaces.
    pub interface: Option<u32>,
    /// The link type (tcpdump.org/linktypes).
    pub link_type: u32,
    /// The system had left the transport checksum to the card.
    pub left_to_card: bool,
}

/// A packet as a filter sees it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// Its layers.
    pub found: &'a Dissection,
    /// What else is known of it.
    pub facts: Facts,
    /// What is known of its segments and datagrams from the packets before; only asked for where the filter
    /// [needs](Needs::flows) it.
    pub flows: &'a [Told],
}

/// How a filter was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Wireshark's: a protocol is meant anywhere in the packet.
    Display,
    /// libpcap's: the outermost headers are meant.
    Capture,
}

/// A filter that was read.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Its tree; `None`: every packet passes.
    test: Option<Test>,
    reading: Reading,
    needs: Needs,
    glance: Option<Glance>,
}

impl Filter {
    /// Reads a display filter. Nothing at all lets every packet pass.
    ///
    /// # Errors
    /// The place of the first thing that is wrong, and what would be right.
    pub fn display(source: &str) -> Result<Self, FilterError> {
        if words_parse::is_meant(source) {
            return Self::capture(source);
        }
        let test = if source.trim().is_empty() { None } else { Some(parse::parse(source)?) };
        Ok(Self::new(test, Reading::Display))
    }

    /// Reads a capture filter, in which the name of a protocol means libpcap's: the outermost headers. Nothing at all lets
    /// every packet pass.
    ///
    /// # Errors
    /// As [`Self::display`].
    pub fn capture(source: &str) -> Result<Self, FilterError> {
        let test = if source.trim().is_empty() { None } else { Some(words_parse::parse(source)?) };
        Ok(Self::new(test, Reading::Capture))
    }

    fn new(test: Option<Test>, reading: Reading) -> Self {
        let needs = Needs::of(test.as_ref());
        let glance = test.as_ref().and_then(Glance::of);
        Self { test, reading, needs, glance }
    }

    /// Whether a packet passes, as far as its digest tells; `None`: its bytes have to be asked.
    #[inline]
    #[must_use]
    pub fn glance(&self, digest: Digest, facts: &Facts) -> Option<bool> {
        match (&self.glance, &self.test) {
            (Some(glance), _) => glance.passes(digest, facts),
            (None, None) => Some(true),
            (None, Some(_)) => None,
        }
    }

    /// What it looks at.
    #[must_use]
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Reads the layers of a packet as far as this filter looks at them, into a dissection that is there already.
    pub fn dissect(&self, link_type: u32, bytes: &[u8], found: &mut Dissection) {
        if !self.needs.layers() {
            *found = Dissection::default();
            return;
        }
        dissect_while(link_type, bytes, &|header| self.needs.goes_on_behind(header), found);
    }

    /// Whether packets of this link type have what the filter asks for.
    ///
    /// # Errors
    /// Says which link type it is and what cannot be asked of it.
    pub fn suits(&self, link_type: u32) -> Result<(), String> {
        self.test.as_ref().and_then(|test| test.unsuited(link_type)).map_or(Ok(()), Err)
    }

    /// Which reading holds.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// Whether a packet passes.
    #[must_use]
    pub fn matches(&self, packet: &Packet<'_>) -> bool {
        self.test.as_ref().is_none_or(|test| test.passes(packet))
    }

    /// The filter as classic BPF, which keeps `keep` bytes of a packet that passes.
    ///
    /// # Errors
    /// Names the part that cannot be said in it, and why.
    pub fn bpf(&self, target: Target, keep: u32) -> Result<Vec<bpf::Instruction>, String> {
        let Some(test) = &self.test else {
            return Ok(vec![bpf::Instruction {
                code: bpf::RET,
                k: bpf::ALL_BYTES,
                ..bpf::Instruction::default()
            }]);
        };
        bpf_make::make(&test.words()?, target, keep)
    }
}
