//! The addresses of an RPL source route, RFC 6554: each without the bytes that it has in common with the packet's destination.

use std::ops::Range;

use super::{Cursor, Reader};
use crate::wire::bits::BitRange;
use crate::wire::table::Field;

static ADDRESS: Field = Field::bytes("routing.rpl.address", "Compressed Address", 0, 0);
static FULL: Field = Field::ipv6("routing.rpl.full_address", "Full Address", 0);
static COUNT: Field = Field::number("routing.rpl.addr_count", "Number of Addresses", 0, 0);

/// The addresses of a routing header of type 3.
pub static READER: Reader = Reader { fields: &[&ADDRESS, &FULL, &COUNT], read, within: true, prefix: "ipv6" };

/// Bytes before the addresses.
const FIXED: usize = 8;
const WHOLE: usize = 16;

/// Where the addresses stand in a routing header of type 3, and how many bytes each leaves out; `None` where the header says
/// what cannot be.
fn places(header: &[u8]) -> Option<Vec<(Range<usize>, usize)>> {
    let [_, _, 3, _, compressed, pad, ..] = header else { return None };
    let (inner, last) = (usize::from(compressed >> 4), usize::from(compressed & 15));
    let end = header.len().checked_sub(usize::from(pad >> 4))?;
    let of_last = end.checked_sub(WHOLE - last).filter(|at| *at >= FIXED)?;
    let size = WHOLE - inner;
    let before = (of_last - FIXED) / size;
    let mut places: Vec<_> =
        (0..before).map(|nth| (FIXED + nth * size..FIXED + (nth + 1) * size, inner)).collect();
    // What is left between is none; the last one follows those before it.
    let at = FIXED + before * size;
    places.push((at..at + WHOLE - last, last));
    Some(places)
}

/// An address with what it leaves out.
fn whole(bytes: &[u8], destination: u128, left_out: usize) -> u128 {
    let low = bytes.iter().fold(0, |all, byte| all << 8 | u128::from(*byte));
    let kept = 8 * (WHOLE - left_out);
    let high = destination.checked_shr(kept as u32).unwrap_or(0);
    high.checked_shl(kept as u32).unwrap_or(0) | low
}

/// The last address of a routing header of type 3, of a packet to this destination.
#[must_use]
pub fn last(header: &[u8], destination: u128) -> Option<u128> {
    let (place, left_out) = places(header)?.pop()?;
    Some(whole(header.get(place)?, destination, left_out))
}

fn read(c: &mut Cursor<'_>) {
    if c.bytes.get(2) == Some(&3) {
        let _ = addresses(c);
    }
}

fn addresses(c: &mut Cursor<'_>) -> Option<()> {
    let header = c.bytes.get(..c.end)?;
    let counted = BitRange { start: 32, width: 32 };
    if header.len() <= FIXED {
        return c.add(&COUNT, counted, Some("0".into()));
    }
    let Some(places) = places(header) else {
        c.stop(c.at, "the lengths leave no room for an address".into());
        return None;
    };
    c.add(&COUNT, counted, Some(places.len().to_string()))?;
    for (place, left_out) in places {
        let bytes = header.get(place.clone())?;
        c.at = place.start;
        c.plain(&ADDRESS, place.len())?;
        if let Some(destination) = c.destination {
            let full = std::net::Ipv6Addr::from(whole(bytes, destination, left_out));
            let bits = BitRange { start: place.start * 8, width: place.len() * 8 };
            c.add(&FULL, bits, Some(full.to_string()))?;
        }
    }
    Some(())
}
