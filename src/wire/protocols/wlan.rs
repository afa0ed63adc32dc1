//! The headers of IEEE 802.11, clause 9: data frames to the packet in them, control and management frames to their
//! addresses. Frames that are protected, aggregated or in fragments are shown as bytes from there on.

use crate::wire::table::{Family, Field, Header, Length, Next, Shown, Space, To, When};
use crate::wire::view::LayerView;

const SUBTYPE: Field = Field::number("fc.subtype", "Subtype", 0, 4).short("Subtype").alias(&[("subtype", 1)]);
const TYPE: Field = Field::number("fc.type", "Type", 4, 2).short("Type").alias(&[("type", 1)]).names(&[
    (0, "Management"),
    (1, "Control"),
    (2, "Data"),
    (3, "Extension"),
]);
const ORDER: Field = Field::flag("fc.order", "+HTC/Order", 8).short("+H");
const PROTECTED: Field =
    Field::flag("fc.protected", "Protected Frame", 9).short("P").alias(&[("protected", 1)]);
const FROM: Field = Field::flag("fc.fromds", "From DS", 14).short("F").alias(&[("fromds", 1)]);
const TO_DS: Field = Field::flag("fc.tods", "To DS", 15).short("T").alias(&[("tods", 1)]);
/// Both: from the distribution system, to it.
const DS: Field = Field::group("fc.ds", "DS status", 14, 2);
const DURATION: Field = Field::number("duration", "Duration", 16, 16).little().shown(Shown::Lower(15));
const SEQUENCE: Field = Field::hex("seq_ctl", "Sequence Control", 176, 16).little();
/// The number of a fragment, in the first byte of the sequence control.
const FRAGMENT: Field = {
    let mut field = Field::number("frag", "Fragment Number", 180, 4);
    field.group = true;
    field
};
/// The bits above it, of both bytes.
const NUMBER: Field = {
    let mut field = Field::number("seq", "Sequence Number", 176, 16).little().above(4);
    field.group = true;
    field
};

const fn ds(is: &'static [u64]) -> When {
    When::is(&DS, is)
}
const fn mac(key: &'static str, label: &'static str, nth: usize) -> Field {
    Field::mac(key, label, [0, 32, 80, 128, 192][nth])
}
/// A second name of an address.
const fn also(key: &'static str, label: &'static str, nth: usize) -> Field {
    let mut field = mac(key, label, nth);
    field.group = true;
    field
}
const RA: Field = mac("ra", "Receiver Address", 1);
const TA: Field = mac("ta", "Transmitter Address", 2);

/// What all of them have in common.
const FRAME: Header = Header {
    prefix: "wlan",
    short: "802.11",
    reference: "IEEE 802.11",
    found_by: &[(Space::LinkType, 105)],
    family: Family::Link,
    info,
    ..Header::PLAIN
};

/// The frame control, with this type and subtype.
macro_rules! frame {
    ($type:expr, $subtype:expr, $($more:expr),* $(,)?) => {
        &[
            Field::group("fc", "Frame Control", 0, 16),
            SUBTYPE.default($subtype),
            TYPE.default($type),
            Field::number("fc.version", "Version", 6, 2).short("Ver").alias(&[("version", 1)]),
            ORDER,
            PROTECTED,
            Field::flag("fc.moredata", "More Data", 10).short("MD"),
            Field::flag("fc.pwrmgt", "Power Management", 11).short("PM"),
            Field::flag("fc.retry", "Retry", 12).short("R"),
            Field::flag("fc.frag", "More Fragments", 13).short("MF"),
            DS,
            FROM,
            TO_DS,
            $($more),*
        ]
    };
}

/// Type and subtype in one: four times the subtype, plus the type.
const FORM: Field = Field::number("fc.type", "Type", 0, 6);
const PLAIN_DATA: &[u64] = &[2, 6, 10, 14, 18, 22, 26, 30];
const QOS: &[u64] = &[34, 38, 42, 46, 50, 54, 58, 62];

const fn stops(when: When) -> Next {
    Next { when: Some(when), to: To::Nothing, quoted: false }
}
const IS_PROTECTED: When = When::is(&PROTECTED, &[1]);
const IS_FRAGMENT: When = When::is(&FRAGMENT, &[0]).negated();
/// Subtypes without data: null, polls and acknowledgements alone.
const NO_DATA: When = When::is(&SUBTYPE, &[4, 5, 6, 7, 12, 13, 14, 15]);
const LLC: Next = Next { when: None, to: To::Always(Space::BehindLength, 0), quoted: false };

/// Which address is which follows from the bits of the distribution system (table 9-30).
macro_rules! data {
    ($subtype:expr, $($more:expr),* $(,)?) => {
        frame!(
            2,
            $subtype,
            DURATION,
            RA,
            also("da", "Destination Address", 1).when(ds(&[0, 2])),
            also("bssid", "BSSID", 1).when(ds(&[1])),
            TA,
            also("sa", "Source Address", 2).when(ds(&[0, 1])),
            also("bssid", "BSSID", 2).when(ds(&[2])),
            mac("bssid", "BSSID", 3).when(ds(&[0])),
            mac("da", "Destination Address", 3).when(ds(&[1, 3])),
            mac("sa", "Source Address", 3).when(ds(&[2])),
            SEQUENCE,
            FRAGMENT,
            NUMBER,
            mac("sa", "Source Address", 4).when(ds(&[3])),
            $($more),*
        )
    };
}

/// Data.
pub static DATA: Header = Header {
    key: "wlan",
    name: "802.11 Data",
    fields: data!(0,),
    length: Length::Cases { cases: &[(ds(&[3]), 30)], otherwise: 24 },
    only_when: Some(When::is(&FORM, PLAIN_DATA)),
    next: &[stops(IS_PROTECTED), stops(IS_FRAGMENT), stops(NO_DATA), LLC],
    ends: Some((&SA_END, &DA_END)),
    ..FRAME
};
/// The ends are found by their names, wherever they stand.
const SA_END: Field = mac("sa", "Source Address", 2);
const DA_END: Field = mac("da", "Destination Address", 1);

const fn qos(start: usize) -> [Field; 6] {
    [
        Field::group("qos", "QoS Control", start, 16).little(),
        Field::flag("qos.amsdupresent", "A-MSDU Present", start).short("A"),
        Field::hex("qos.ack", "Ack Policy", start + 1, 2).digits(4).short("Ack"),
        Field::flag("qos.eosp", "EOSP", start + 3).short("E").alias(&[("eosp", 1)]),
        Field::number("qos.tid", "TID", start + 4, 4).short("TID").alias(&[("tid", 1)]),
        Field::hex("qos.upper", "TXOP or Queue Size", start + 8, 8).short("TXOP"),
    ]
}
/// Only what comes from the distribution system ends a service period; elsewhere the bit has no name.
const fn bit_4(eosp: &Field) -> Field {
    let mut field = *eosp;
    field.key = "qos.bit4";
    field.label = "QoS Bit 4";
    field.short = "4";
    field.aliases = &[];
    field
}
const THREE: [Field; 6] = qos(192);
const FOUR: [Field; 6] = qos(240);
const ADDRESSES_3: When = ds(&[0, 1, 2]);
const ADDRESSES_4: When = ds(&[3]);

/// The aggregate flag in its two places.
const AGGREGATE_3: Field = Field::number("qos", "QoS Control", 192, 1);

/// Data with QoS.
pub static QOS_DATA: Header = Header {
    key: "wlan_qos",
    name: "802.11 QoS Data",
    fields: data!(
        8,
        THREE[0].when(ADDRESSES_3),
        THREE[1].when(ADDRESSES_3),
        THREE[2].when(ADDRESSES_3),
        THREE[3].when(ds(&[2])),
        bit_4(&THREE[3]).when(ds(&[0, 1])),
        THREE[4].when(ADDRESSES_3),
        THREE[5].when(ADDRESSES_3),
        FOUR[0].when(ADDRESSES_4),
        FOUR[1].when(ADDRESSES_4),
        FOUR[2].when(ADDRESSES_4),
        FOUR[3].when(ADDRESSES_4),
        FOUR[4].when(ADDRESSES_4),
        FOUR[5].when(ADDRESSES_4),
    ),
    length: Length::Cases { cases: &[(ADDRESSES_4, 32)], otherwise: 26 },
    only_when: Some(When::is(&FORM, QOS)),
    // An HT control field would stand behind this header, and with four addresses the aggregate flag elsewhere.
    next: &[
        stops(IS_PROTECTED),
        stops(IS_FRAGMENT),
        stops(NO_DATA),
        stops(When::is(&ORDER, &[1])),
        stops(ADDRESSES_4),
        stops(When::is(&AGGREGATE_3, &[1])),
        LLC,
    ],
    ends: Some((&SA_END, &DA_END)),
    ..FRAME
};

/// Management; the body is its payload.
pub static MANAGEMENT: Header = Header {
    key: "wlan_mgmt",
    name: "802.11 Management",
    fields: frame!(
        0,
        8,
        DURATION,
        RA,
        also("da", "Destination Address", 1),
        TA,
        also("sa", "Source Address", 2),
        mac("bssid", "BSSID", 3),
        SEQUENCE,
        FRAGMENT,
        NUMBER,
    ),
    length: Length::Fixed(24),
    only_when: Some(When::is(&TYPE, &[0])),
    ends: Some((&SA_END, &DA_END)),
    ..FRAME
};

/// Block acknowledgements, their requests, and RTS have two addresses.
const TWO: When = When::is(&SUBTYPE, &[3, 4, 5, 8, 9, 11]);
const TWO_KNOWN: When = When::is(&SUBTYPE, &[3, 4, 5, 8, 9, 10, 11, 15]);
const ONE_OR_TWO: When = When::is(&SUBTYPE, &[3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const POLL: When = When::is(&SUBTYPE, &[10]);
const CF_END: When = When::is(&SUBTYPE, &[14, 15]);
const ONE: When = When::is(&SUBTYPE, &[7, 12, 13]);

/// Control.
pub static CONTROL: Header = Header {
    key: "wlan_ctl",
    name: "802.11 Control",
    fields: frame!(
        1,
        13,
        DURATION,
        Field::group("aid_field", "Association ID", 16, 16).little().when(POLL),
        RA.when(ONE_OR_TWO),
        also("bssid", "BSSID", 1).when(POLL),
        TA.when(TWO_KNOWN),
        mac("bssid", "BSSID", 2).when(When::is(&SUBTYPE, &[14])),
    ),
    length: Length::Cases { cases: &[(TWO, 16), (POLL, 16), (CF_END, 16), (ONE, 10)], otherwise: 4 },
    only_when: Some(When::is(&TYPE, &[1])),
    ..FRAME
};

fn info(view: &LayerView<'_>) -> String {
    let kind = match (view.number(TYPE.key), view.number(SUBTYPE.key)) {
        (Some(0), Some(subtype)) => MANAGEMENT_NAMES[subtype as usize % 16],
        (Some(1), Some(subtype)) => CONTROL_NAMES[subtype as usize % 16],
        (Some(2), Some(subtype)) => DATA_NAMES[subtype as usize % 16],
        _ => "cut short",
    };
    let mut text = kind.to_owned();
    if view.is_set(PROTECTED.key) {
        text += ", protected";
    }
    for (name, key) in [("BSSID", "bssid"), ("to", "ra"), ("from", "ta")] {
        if view.field(key).is_some() {
            text += &format!(" {name} {}", view.text(key));
        }
    }
    format!("{text} length {}", view.payload_len())
}

const MANAGEMENT_NAMES: [&str; 16] = [
    "Association Request",
    "Association Response",
    "Reassociation Request",
    "Reassociation Response",
    "Probe Request",
    "Probe Response",
    "Timing Advertisement",
    "Reserved",
    "Beacon",
    "ATIM",
    "Disassociation",
    "Authentication",
    "Deauthentication",
    "Action",
    "Action No Ack",
    "Reserved",
];
const CONTROL_NAMES: [&str; 16] = [
    "Reserved",
    "Reserved",
    "Trigger",
    "TACK",
    "Beamforming Report Poll",
    "NDP Announcement",
    "Control Frame Extension",
    "Control Wrapper",
    "Block Ack Request",
    "Block Ack",
    "PS-Poll",
    "RTS",
    "CTS",
    "Ack",
    "CF-End",
    "CF-End and CF-Ack",
];
const DATA_NAMES: [&str; 16] = [
    "Data",
    "Data and CF-Ack",
    "Data and CF-Poll",
    "Data, CF-Ack and CF-Poll",
    "Null",
    "CF-Ack",
    "CF-Poll",
    "CF-Ack and CF-Poll",
    "QoS Data",
    "QoS Data and CF-Ack",
    "QoS Data and CF-Poll",
    "QoS Data, CF-Ack and CF-Poll",
    "QoS Null",
    "Reserved",
    "QoS CF-Poll",
    "QoS CF-Ack and CF-Poll",
];
