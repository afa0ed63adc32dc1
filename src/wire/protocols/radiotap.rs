//! Radiotap, radiotap.org: what a wireless card says of a frame, before it. Which of its fields are there say the bits of
//! the present words: [`reader`] reads them.

use crate::wire::readers::radiotap as reader;
use crate::wire::table::{Compute, Family, Field, Fills, Header, Item, ItemList, Length, Next, Space, To};
use crate::wire::view::LayerView;

const LENGTH: Field = Field::number("length", "Header length", 16, 16)
    .little()
    .alias(&[("len", 1)])
    .computed(Compute::HeaderLength);

/// A bit of the first present word by its mask: the lowest byte stands first.
const fn present(key: &'static str, label: &'static str, bit: usize) -> Field {
    Field::flag(key, label, 32 + bit / 8 * 8 + 7 - bit % 8)
}

/// The present word.
pub static WORD: Field = PRESENT_WORD;
const PRESENT_WORD: Field =
    Field::group("present.word", "Present flags word", 32, 32).little().alias(&[("present", 1)]);
/// Its bits, the lowest first.
pub static PRESENT: [Field; 32] = BITS;
const BITS: [Field; 32] = [
    present("present.tsft", "TSFT", 0),
    present("present.flags", "Flags", 1),
    present("present.rate", "Rate", 2),
    present("present.channel", "Channel", 3),
    present("present.fhss", "FHSS", 4),
    present("present.dbm_antsignal", "dBm Antenna Signal", 5),
    present("present.dbm_antnoise", "dBm Antenna Noise", 6),
    present("present.lock_quality", "Lock Quality", 7),
    present("present.tx_attenuation", "TX Attenuation", 8),
    present("present.db_tx_attenuation", "dB TX Attenuation", 9),
    present("present.dbm_tx_power", "dBm TX Power", 10),
    present("present.antenna", "Antenna", 11),
    present("present.db_antsignal", "dB Antenna Signal", 12),
    present("present.db_antnoise", "dB Antenna Noise", 13),
    present("present.rxflags", "RX flags", 14),
    present("present.txflags", "TX flags", 15),
    present("present.reserved16", "Reserved", 16),
    present("present.data_retries", "data retries", 17),
    present("present.xchannel", "Channel+", 18),
    present("present.mcs", "MCS information", 19),
    present("present.ampdu", "A-MPDU Status", 20),
    present("present.vht", "VHT information", 21),
    present("present.timestamp", "frame timestamp", 22),
    present("present.he", "HE information", 23),
    present("present.he_mu", "HE-MU information", 24),
    present("present.reserved25", "Reserved", 25),
    present("present.0_length.psdu", "0 Length PSDU", 26),
    present("present.l_sig", "L-SIG", 27),
    present("present.tlv", "TLVs", 28),
    present("present.rtap_ns", "Radiotap NS next", 29),
    present("present.vendor_ns", "Vendor NS next", 30),
    present("present.ext", "Ext", 31),
];
const FIELDS: [Field; 36] = {
    let mut all = [PRESENT_WORD; 36];
    all[0] = Field::number("version", "Header revision", 0, 8);
    all[1] = Field::number("pad", "Header pad", 8, 8);
    all[2] = LENGTH;
    let mut at = 0;
    while at < 32 {
        // In the order of the bits as they stand.
        all[4 + at] = BITS[at / 8 * 8 + 7 - at % 8];
        at += 1;
    }
    all
};

const FIELDS_ITEM: Item =
    Item::bare("data", "Fields", "radiotap.org", &[Field::bytes("data", "Fields", 0, 0)]);

/// Radiotap.
pub static HEADER: Header = Header {
    key: "radiotap",
    name: "Radiotap",
    short: "Radiotap",
    reference: "radiotap.org",
    fields: &FIELDS,
    length: Length::Said { by: &LENGTH, min: 8 },
    found_by: &[(Space::LinkType, 127)],
    next: &[Next { when: None, to: To::Always(Space::LinkType, 105), quoted: false }],
    reader: Some(&reader::READER),
    items: Some(&ItemList {
        key: "fields",
        label: "Fields",
        items: &[FIELDS_ITEM],
        unknown: &FIELDS_ITEM,
        fills: Fills::Header,
        ..ItemList::PLAIN
    }),
    // Beside the header of the frame.
    family: Family::Extension,
    info,
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    format!("{} bytes of the card, {} of the frame", view.layer().len, view.payload_len())
}
