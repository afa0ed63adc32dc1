//! Streams: a draft of which some fields vary from packet to packet.

mod generator;
mod read;
mod template;

use std::ops::Range;

pub use generator::{Generator, Run};
pub use template::{Cut, Maker};

use super::draft::Draft;
use crate::wire::bits::BitRange;
use crate::wire::table::Field;
use crate::wire::view::{Located, Path};
use generator::Dice;

/// What varies.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// A field.
    Field(Path, &'static Field),
    /// These bytes of the payload: the first, and how many.
    Payload(usize, usize),
}

impl Place {
    /// Whether it is this field.
    pub(super) fn is_field(&self, path: Path) -> bool {
        matches!(self, Self::Field(other, _) if *other == path)
    }

    /// First byte and length, of a part of the payload.
    pub(super) fn payload(&self) -> Option<(usize, usize)> {
        match self {
            Self::Payload(start, len) => Some((*start, *len)),
            Self::Field(..) => None,
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // A path says which table's field it is.
            (Self::Field(a, _), Self::Field(b, _)) => a == b,
            (Self::Payload(..), Self::Payload(..)) => self.payload() == other.payload(),
            _ => false,
        }
    }
}

/// Something that varies, and how.
#[derive(Clone, Debug)]
pub struct Varying {
    /// What.
    pub place: Place,
    /// How.
    pub generator: Generator,
    /// Packets that one value lasts, where values follow each other: those that move faster begin again first.
    stride: u64,
}

impl Varying {
    /// A value as it is stored.
    fn stored(&self, value: u128) -> u128 {
        match self.place {
            Place::Field(_, field) => field.ordered(value),
            Place::Payload(..) => value,
        }
    }
}

/// A packet of which some fields vary.
#[derive(Clone, Debug)]
pub struct Stream {
    draft: Draft,
    varying: Vec<Varying>,
    seed: u64,
}

/// A value for a place in a packet.
enum Made {
    /// As stored.
    Stored(u128),
    /// They were written.
    Bytes,
}

impl Stream {
    /// A stream of equal packets.
    #[must_use]
    pub fn plain(draft: Draft) -> Self {
        Self { draft, varying: Vec::new(), seed: 0 }
    }

    /// A draft of which these places vary; of values that follow each other, those of the last move fastest.
    #[must_use]
    pub fn new(draft: Draft, mut varying: Vec<(Place, Generator)>) -> Self {
        // Fields that are there only with some values of another one come after it.
        varying.sort_by_key(|(place, _)| matches!(place, Place::Field(_, f) if f.when.is_some()));
        let mut stride = 1u64;
        let mut all: Vec<Varying> = Vec::with_capacity(varying.len());
        for (place, generator) in varying.into_iter().rev() {
            let len = generator.period();
            all.push(Varying { place, generator, stride });
            stride = stride.saturating_mul(len.unwrap_or(1));
        }
        all.reverse();
        Self { draft, varying: all, seed: 0 }
    }

    /// The packet that the notation says, each field that varies at a value of its range.
    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The same, to be changed: what varies stays where it is only while no layer and no option comes or goes.
    pub fn draft_mut(&mut self) -> &mut Draft {
        &mut self.draft
    }

    /// Has the layers that vary move on: a header was put before the first one.
    pub fn moved(&mut self, layers: usize) {
        for varying in &mut self.varying {
            if let Place::Field(path, _) = &mut varying.place {
                path.layer += layers;
            }
        }
    }

    /// What varies.
    #[must_use]
    pub fn varying(&self) -> &[Varying] {
        &self.varying
    }

    /// Sets the seed: with the same one the same packets come.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many packets there are in which all values that follow each other are met with all others; 1 without such.
    #[must_use]
    pub fn combinations(&self) -> u64 {
        self.varying.iter().filter_map(|v| v.generator.period()).fold(1, u64::saturating_mul)
    }

    /// Whether a field varies.
    #[must_use]
    pub fn varies(&self, path: Path) -> bool {
        self.varying.iter().any(|v| matches!(v.place, Place::Field(other, _) if other == path))
    }

    /// The packet of this number, from 0 on, built from nothing but its values.
    #[must_use]
    pub fn packet(&self, number: u64) -> Draft {
        self.built(|nth, varying, bytes| {
            let dice = Dice::new(self.seed, nth);
            if let Some(bytes) = bytes {
                dice.fill(number, bytes);
                return Made::Bytes;
            }
            Made::Stored(varying.stored(varying.generator.value(dice, number, varying.stride)))
        })
    }

    /// Builds the packet with the values that `value` gives: a number, or the bytes that it is handed.
    fn built(&self, mut value: impl FnMut(usize, &Varying, Option<&mut [u8]>) -> Made) -> Draft {
        let mut draft = self.draft.clone();
        for (nth, varying) in self.varying.iter().enumerate() {
            match varying.place {
                Place::Field(path, _) => {
                    // With other values of other fields it may not be there.
                    let Some(found) = draft.locate(path) else { continue };
                    if found.field.kind.is_bytes() {
                        draft.fill_field(&found, |bytes| {
                            value(nth, varying, Some(bytes));
                        });
                    } else if let Made::Stored(stored) = value(nth, varying, None) {
                        // Each value fits; a packet that would become too large by it stays as it was.
                        let _ = draft.set(path, stored);
                    }
                }
                Place::Payload(start, len) => {
                    draft.fill_payload(start..start + len, |bytes| {
                        value(nth, varying, Some(bytes));
                    });
                }
            }
        }
        draft
    }
}

impl Draft {
    /// Writes into a field that is bytes.
    fn fill_field(&mut self, found: &Located, fill: impl FnOnce(&mut [u8])) {
        self.fill(found.bits.bytes(), fill);
    }

    /// Writes into the payload.
    fn fill_payload(&mut self, range: Range<usize>, fill: impl FnOnce(&mut [u8])) {
        let start = self.payload_range().start;
        self.fill(start + range.start..start + range.end, fill);
    }

    fn fill(&mut self, range: Range<usize>, fill: impl FnOnce(&mut [u8])) {
        if let Some(bytes) = self.bytes.get_mut(range) {
            fill(bytes);
        }
        self.recompute();
    }
}

/// The bits of a place in a packet.
fn bits_of(draft: &Draft, place: Place) -> Option<BitRange> {
    match place {
        Place::Field(path, _) => draft.locate(path).map(|found| found.bits),
        Place::Payload(start, len) => {
            Some(BitRange { start: (draft.payload_range().start + start) * 8, width: len * 8 })
        }
    }
}
