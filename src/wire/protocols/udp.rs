//! UDP, RFC 768.

use crate::wire::table::{Answer, Compute, Coverage, Extent, Family, Field, Header, Length, Next, Space, To};
use crate::wire::view::LayerView;

const LENGTH: Field = Field::number("length", "Length", 32, 16).computed(Compute::TotalLength);
const SRCPORT: Field = Field::number("srcport", "Source Port", 0, 16).default(20000);
const DSTPORT: Field = Field::number("dstport", "Destination Port", 16, 16)
    .default(80)
    .computed(Compute::NextHeader(Space::UdpPort));

/// UDP.
pub static HEADER: Header = Header {
    key: "udp",
    name: "User Datagram Protocol",
    short: "UDP",
    reference: "RFC 768",
    fields: &[
        SRCPORT,
        DSTPORT,
        LENGTH,
        Field::hex("checksum", "Checksum", 48, 16)
            .computed(Compute::Checksum { coverage: Coverage::PseudoHeader, zero_is_none: true }),
    ],
    length: Length::Fixed(8),
    extent: Some(Extent { by: &LENGTH, beyond: 0, zero_is_open: None }),
    found_by: &[(Space::IpProtocol, 17)],
    next: &[Next {
        when: None,
        to: To::Either { by: [&SRCPORT, &DSTPORT], space: Space::UdpPort },
        quoted: false,
    }],
    items: None,
    ends: None,
    network: false,
    answer: Some(Answer::ports(&[(&SRCPORT, &DSTPORT)])),
    family: Family::Transport,
    row_bits: 32,
    info,
    warnings: &[destination_zero, length],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    format!("{} → {} length {}", view.text("srcport"), view.text("dstport"), view.payload_len())
}

fn destination_zero(view: &LayerView<'_>) -> Option<String> {
    (view.number("dstport") == Some(0))
        .then(|| "destination port 0 is reserved: no socket listens there".into())
}

fn length(view: &LayerView<'_>) -> Option<String> {
    let said = view.number("length")? as usize;
    let real = view.layer().len + view.payload().len();
    if said < 8 {
        Some(format!("length {said} is under 8, the length of the header: receivers drop it"))
    } else if said > real {
        Some(format!("length says {said} bytes, the datagram has {real}: receivers drop it"))
    } else if said < real {
        Some(format!("length says {said} bytes, the datagram has {real}: receivers ignore the rest"))
    } else {
        None
    }
}
