//! What becomes of a field outside of this program. Part of the table language; see [`super::table`].

/// What a raw IP socket does to a field of the header that we hand it (raw(7), IP_HDRINCL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawSocket {
    /// It goes out as it is.
    Kept,
    /// The kernel always writes it.
    Overwritten,
    /// The kernel writes it when it is zero.
    FilledWhenZero,
}

/// What the machines on a packet's way do to a field of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTheWay {
    /// It arrives as it was sent.
    Kept,
    /// Each router takes one off.
    CountedDown,
    /// A network may mark the packet anew (RFC 2474, RFC 3168).
    Marked,
}
