//! The fields of radiotap, radiotap.org: which are there say the bits of the present words, and each stands at a multiple of
//! its alignment from the header's first byte. Of those of HE, VHT and later only the place is known here.

use super::{Cursor, Reader};
use crate::wire::bits::BitRange;
use crate::wire::protocols::radiotap::{PRESENT, WORD};
use crate::wire::table::Field;

/// Alignment and size of the fields, by their bit; size 0: nothing behind it can be found.
const SHAPES: [(usize, usize); 29] = [
    (8, 8),
    (1, 1),
    (1, 1),
    (2, 4),
    (2, 2),
    (1, 1),
    (1, 1),
    (2, 2),
    (2, 2),
    (2, 2),
    (1, 1),
    (1, 1),
    (1, 1),
    (1, 1),
    (2, 2),
    (2, 2),
    (1, 1),
    (1, 1),
    (4, 8),
    (1, 3),
    (4, 8),
    (2, 12),
    (8, 12),
    (2, 12),
    (2, 12),
    (2, 6),
    (1, 1),
    (2, 4),
    (1, 0),
];

static TSFT: Field = Field::number("mactime", "MAC Timestamp", 0, 64).little();
static FLAGS: Field = Field::hex("flags", "Flags", 0, 8);
static RATE: Field = Field::number("datarate", "Data Rate in Mb/s", 0, 0);
static FREQUENCY: Field = Field::number("channel.freq", "Channel Frequency in MHz", 0, 16).little();
static CHANNEL: Field = Field::hex("channel.flags", "Channel Flags", 0, 16).little();
static HOP_SET: Field = Field::number("fhss.hopset", "FHSS Hop Set", 0, 8);
static HOP_PATTERN: Field = Field::number("fhss.pattern", "FHSS Pattern", 0, 8);
static SIGNAL: Field = Field::number("dbm_antsignal", "Antenna Signal in dBm", 0, 0);
static NOISE: Field = Field::number("dbm_antnoise", "Antenna Noise in dBm", 0, 0);
static QUALITY: Field = Field::number("quality", "Signal Quality", 0, 16).little();
static ATTENUATION: Field = Field::number("txattenuation", "TX Attenuation", 0, 16).little();
static DB_ATTENUATION: Field = Field::number("db_txattenuation", "TX Attenuation in dB", 0, 16).little();
static POWER: Field = Field::number("txpower", "TX Power in dBm", 0, 0);
static ANTENNA: Field = Field::number("antenna", "Antenna", 0, 8);
static DB_SIGNAL: Field = Field::number("db_antsignal", "Antenna Signal in dB", 0, 8);
static DB_NOISE: Field = Field::number("db_antnoise", "Antenna Noise in dB", 0, 8);
static RX_FLAGS: Field = Field::hex("rxflags", "RX Flags", 0, 16).little();
static BAD_PLCP: Field = Field::flag("rxflags.badplcp", "Bad PLCP", 0);
static TX_FLAGS: Field = Field::hex("txflags", "TX Flags", 0, 16).little();
static RETRIES: Field = Field::number("data_retries", "Data Retries", 0, 8);
static X_FLAGS: Field = Field::hex("xchannel.flags", "Channel Flags", 0, 32).little();
static X_FREQUENCY: Field = Field::number("xchannel.freq", "Channel Frequency in MHz", 0, 16).little();
static X_CHANNEL: Field = Field::number("xchannel.channel", "Channel Number", 0, 8);
static AMPDU: Field = Field::number("ampdu.reference", "A-MPDU Reference Number", 0, 32).little();
static AMPDU_FLAGS: Field = Field::hex("ampdu.flags", "A-MPDU Flags", 0, 16).little();
static AMPDU_CRC: Field = Field::hex("ampdu.delim_crc", "A-MPDU Delimiter CRC", 0, 8);

/// Flags of one number, from its lowest bit on; without a key, none has a meaning.
macro_rules! flags {
    ($static:ident [$(($key:literal, $label:literal)),+ $(,)?]) => {
        static $static: &[Field] = &[$(Field::flag($key, $label, 0)),+];
    };
}
flags!(FLAG [
    ("flags.cfp", "CFP"),
    ("flags.preamble", "Short Preamble"),
    ("flags.wep", "WEP"),
    ("flags.frag", "Fragmentation"),
    ("flags.fcs", "FCS at End"),
    ("flags.datapad", "Data Pad"),
    ("flags.badfcs", "Bad FCS"),
    ("flags.shortgi", "Short GI"),
]);
flags!(CHANNEL_FLAG [
    ("channel.flags.700mhz", "700 MHz"),
    ("channel.flags.800mhz", "800 MHz"),
    ("channel.flags.900mhz", "900 MHz"),
    ("", ""),
    ("channel.flags.turbo", "Turbo"),
    ("channel.flags.cck", "CCK"),
    ("channel.flags.ofdm", "OFDM"),
    ("channel.flags.2ghz", "2 GHz"),
    ("channel.flags.5ghz", "5 GHz"),
    ("channel.flags.passive", "Passive"),
    ("channel.flags.dynamic", "Dynamic CCK-OFDM"),
    ("channel.flags.gfsk", "GFSK"),
    ("channel.flags.gsm", "GSM"),
    ("channel.flags.sturbo", "Static Turbo"),
    ("channel.flags.half", "Half Rate Channel"),
    ("channel.flags.quarter", "Quarter Rate Channel"),
]);

static KNOWN: Field = Field::hex("mcs.known", "Known MCS Information", 0, 8);
flags!(HAVE [
    ("mcs.have_bw", "Bandwidth Known"),
    ("mcs.have_index", "MCS Index Known"),
    ("mcs.have_gi", "Guard Interval Known"),
    ("mcs.have_format", "Format Known"),
    ("mcs.have_fec", "FEC Type Known"),
    ("mcs.have_stbc", "STBC Known"),
    ("mcs.have_ness", "Extension Spatial Streams Known"),
]);
static NESS_1: Field = Field::number("mcs.ness_bit1", "Extension Spatial Streams, Bit 1", 0, 1);
static BANDWIDTH: Field = Field::number("mcs.bw", "Bandwidth", 0, 2).names(&[
    (0, "20 MHz"),
    (1, "40 MHz"),
    (2, "20 MHz lower"),
    (3, "20 MHz upper"),
]);
static GUARD: Field = Field::number("mcs.gi", "Guard Interval", 0, 1).names(&[(0, "long"), (1, "short")]);
static FORMAT: Field = Field::number("mcs.format", "Format", 0, 1).names(&[(0, "mixed"), (1, "greenfield")]);
static FEC: Field = Field::number("mcs.fec", "FEC Type", 0, 1).names(&[(0, "BCC"), (1, "LDPC")]);
static STBC: Field = Field::number("mcs.stbc", "STBC Streams", 0, 2);
static NESS_0: Field = Field::number("mcs.ness_bit0", "Extension Spatial Streams, Bit 0", 0, 1);
static INDEX: Field = Field::number("mcs.index", "MCS Index", 0, 8);

/// Fields of one value.
const SINGLE: [&Field; 27] = [
    &TSFT,
    &FLAGS,
    &RATE,
    &FREQUENCY,
    &CHANNEL,
    &HOP_SET,
    &HOP_PATTERN,
    &SIGNAL,
    &NOISE,
    &QUALITY,
    &ATTENUATION,
    &DB_ATTENUATION,
    &POWER,
    &ANTENNA,
    &DB_SIGNAL,
    &DB_NOISE,
    &RX_FLAGS,
    &BAD_PLCP,
    &TX_FLAGS,
    &RETRIES,
    &X_FLAGS,
    &X_FREQUENCY,
    &X_CHANNEL,
    &AMPDU,
    &AMPDU_FLAGS,
    &AMPDU_CRC,
    &WORD,
];
const MCS: [&Field; 9] = [&KNOWN, &NESS_1, &BANDWIDTH, &GUARD, &FORMAT, &FEC, &STBC, &NESS_0, &INDEX];

const COUNT: usize = SINGLE.len() + MCS.len() + 7 + 8 + 16 + 32;
static FIELDS: [&Field; COUNT] = {
    let mut all = [&WORD; COUNT];
    let mut at = 0;
    let lists: [&[Field]; 4] = [HAVE, FLAG, CHANNEL_FLAG, &PRESENT];
    let mut list = 0;
    while list < lists.len() {
        let mut nth = 0;
        while nth < lists[list].len() {
            // One without a key is left as another is.
            if !lists[list][nth].key.is_empty() {
                all[at] = &lists[list][nth];
            }
            at += 1;
            nth += 1;
        }
        list += 1;
    }
    let mut nth = 0;
    while nth < SINGLE.len() {
        all[at] = SINGLE[nth];
        at += 1;
        nth += 1;
    }
    nth = 0;
    while nth < MCS.len() {
        all[at] = MCS[nth];
        at += 1;
        nth += 1;
    }
    all
};

/// Radiotap.
pub static READER: Reader = Reader { fields: &FIELDS, read, within: true, ..Reader::PLAIN };

/// Bits of a present word: those of the next word are of the fields of radiotap again; they are a vendor's; there is one.
const AGAIN: u32 = 1 << 29;
const VENDOR: u32 = 1 << 30;
const MORE: u32 = 1 << 31;

fn read(c: &mut Cursor<'_>) {
    let _ = fields(c);
}

fn fields(c: &mut Cursor<'_>) -> Option<()> {
    // Of another version nothing is known.
    if c.bytes.first() != Some(&0) {
        c.stop(0, "the form of another version than 0 is not known".into());
        return None;
    }
    let word = |c: &Cursor<'_>, at: usize| {
        c.bytes.get(at..at + 4).and_then(|w| w.try_into().ok()).map(u32::from_le_bytes)
    };
    let mut words = vec![word(c, 4)?];
    let mut own = true;
    while let Some(last) = words.last().copied().filter(|w| w & MORE != 0) {
        own = last & VENDOR == 0 && (own || last & AGAIN != 0);
        c.has(&WORD, 4)?;
        words.push(word(c, c.at)?);
        if own {
            PRESENT.iter().enumerate().try_for_each(|(bit, field)| flag(c, field, bit))?;
        }
        c.number(&WORD, 4)?;
    }
    for word in words {
        for (bit, (align, size)) in SHAPES.into_iter().enumerate().filter(|(bit, _)| word >> bit & 1 == 1) {
            c.at = c.at.next_multiple_of(align);
            let end = c.at + size;
            if size == 0 || end > c.end {
                let (name, left) = (PRESENT[bit].label, c.end.saturating_sub(c.at));
                c.stop(c.at.min(c.end), format!("{name}: needs {size} bytes, {left} are left"));
                return None;
            }
            field(c, bit)?;
            c.at = end;
        }
        if word & MORE != 0 && word & (AGAIN | VENDOR) != AGAIN {
            c.stop(c.at, "the fields of a vendor, and bits past the first 32, are not known".into());
            return None;
        }
    }
    Some(())
}

/// A bit of a number whose lowest byte stands first.
fn flag(c: &mut Cursor<'_>, field: &'static Field, bit: usize) -> Option<()> {
    if field.key.is_empty() {
        return Some(());
    }
    c.part(field, bit / 8 * 8 + 7 - bit % 8, 1).map(|_| ())
}

/// A byte with a sign.
fn signed(c: &mut Cursor<'_>, field: &'static Field) -> Option<()> {
    text(c, field, c.rest().first()?.cast_signed().to_string())
}

/// A value of the next byte that is not what the bits say.
fn text(c: &mut Cursor<'_>, field: &'static Field, text: String) -> Option<()> {
    c.has(field, 1)?;
    c.add(field, BitRange { start: c.at * 8, width: 8 }, Some(text))
}

/// The field of a bit, all of which is there.
fn field(c: &mut Cursor<'_>, bit: usize) -> Option<()> {
    let all = |c: &mut Cursor<'_>, fields: &[(&'static Field, usize)]| {
        fields.iter().try_for_each(|(field, len)| c.number(field, *len).map(|_| ()))
    };
    match bit {
        0 => all(c, &[(&TSFT, 8)]),
        1 => {
            FLAG.iter().enumerate().try_for_each(|(bit, field)| flag(c, field, bit))?;
            all(c, &[(&FLAGS, 1)])
        }
        2 => {
            let halves = *c.rest().first()?;
            text(c, &RATE, short(f64::from(halves) / 2.0))
        }
        3 => {
            c.number(&FREQUENCY, 2)?;
            CHANNEL_FLAG.iter().enumerate().try_for_each(|(bit, field)| flag(c, field, bit))?;
            all(c, &[(&CHANNEL, 2)])
        }
        4 => all(c, &[(&HOP_SET, 1), (&HOP_PATTERN, 1)]),
        5 => signed(c, &SIGNAL),
        6 => signed(c, &NOISE),
        7 => all(c, &[(&QUALITY, 2)]),
        8 => all(c, &[(&ATTENUATION, 2)]),
        9 => all(c, &[(&DB_ATTENUATION, 2)]),
        10 => signed(c, &POWER),
        11 => all(c, &[(&ANTENNA, 1)]),
        12 => all(c, &[(&DB_SIGNAL, 1)]),
        13 => all(c, &[(&DB_NOISE, 1)]),
        14 => {
            flag(c, &BAD_PLCP, 1)?;
            all(c, &[(&RX_FLAGS, 2)])
        }
        15 => all(c, &[(&TX_FLAGS, 2)]),
        17 => all(c, &[(&RETRIES, 1)]),
        18 => all(c, &[(&X_FLAGS, 4), (&X_FREQUENCY, 2), (&X_CHANNEL, 1)]),
        19 => modulation(c),
        20 => {
            c.number(&AMPDU, 4)?;
            let flags = AMPDU_FLAGS.ordered(u128::from(c.number(&AMPDU_FLAGS, 2)?));
            // The CRC is known.
            if flags & 0x20 != 0 { all(c, &[(&AMPDU_CRC, 1)]) } else { Some(()) }
        }
        _ => Some(()),
    }
}

/// What is known of modulation and coding, and by that the rate.
fn modulation(c: &mut Cursor<'_>) -> Option<()> {
    HAVE.iter().enumerate().try_for_each(|(bit, field)| flag(c, field, bit))?;
    let known = *c.rest().first()?;
    let has = |bit: u32| known >> bit & 1 == 1;
    if has(6) {
        c.part(&NESS_1, 0, 1)?;
    }
    c.number(&KNOWN, 1)?;
    let parts = [(&BANDWIDTH, 6, 2, 0), (&GUARD, 5, 1, 2), (&FORMAT, 4, 1, 3), (&FEC, 3, 1, 4)];
    let parts = parts.into_iter().chain([(&STBC, 1, 2, 5), (&NESS_0, 0, 1, 6)]);
    for (field, start, width, _) in parts.filter(|(.., bit)| has(*bit)) {
        c.part(field, start, width)?;
    }
    let flags = *c.rest().first()?;
    c.at += 1;
    let index = *c.rest().first()?;
    if has(1) {
        c.part(&INDEX, 0, 8)?;
    }
    if has(0) && has(1) && has(2) && index < 32 {
        // Bits of a symbol for each carrier: modulation and coding rate (IEEE 802.11, table 19-27).
        const BITS: [f64; 8] = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 4.5, 5.0];
        let carriers = if flags & 3 == 1 { 108.0 } else { 52.0 };
        let symbol = if flags & 4 != 0 { 3.6 } else { 4.0 };
        let bits = BITS[usize::from(index % 8)] * f64::from(index / 8 + 1);
        text(c, &RATE, short(bits * carriers / symbol))?;
    }
    Some(())
}

/// Six digits that count, as Wireshark writes a rate.
fn short(rate: f64) -> String {
    let whole = format!("{rate:.0}").len();
    let text = format!("{rate:.*}", 6_usize.saturating_sub(whole));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
