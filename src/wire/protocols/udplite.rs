//! UDP-Lite, RFC 3828: the checksum covers the first bytes of the datagram, as many as the header says.

use crate::wire::table::{Answer, Compute, Coverage, Family, Field, Header, Length, Next, Space, To};
use crate::wire::view::LayerView;

const SRCPORT: Field = Field::number("srcport", "Source Port", 0, 16).default(20000);
const DSTPORT: Field = Field::number("dstport", "Destination Port", 16, 16)
    .default(80)
    .computed(Compute::NextHeader(Space::UdpPort));
const COVERAGE: Field =
    Field::number("checksum_coverage", "Checksum Coverage", 32, 16).short("Coverage").alias(&[("cover", 1)]);

/// UDP-Lite.
pub static HEADER: Header = Header {
    key: "udplite",
    prefix: "udp",
    name: "Lightweight User Datagram Protocol",
    short: "UDP-Lite",
    reference: "RFC 3828",
    fields: &[
        SRCPORT,
        DSTPORT,
        COVERAGE,
        Field::hex("checksum", "Checksum", 48, 16)
            .computed(Compute::Checksum { coverage: Coverage::PseudoHeader, zero_is_none: true }),
    ],
    length: Length::Fixed(8),
    covers: Some(covers),
    found_by: &[(Space::IpProtocol, 136)],
    next: &[Next { when: None, to: To::Selected { by: &DSTPORT, space: Space::UdpPort }, quoted: false }],
    answer: Some(Answer::ports(&[(&SRCPORT, &DSTPORT)])),
    family: Family::Transport,
    info,
    warnings: &[coverage],
    ..Header::PLAIN
};

/// 0 covers all; the header is always covered (RFC 3828 section 3.1).
fn covers(view: &LayerView<'_>) -> Option<usize> {
    match view.number(COVERAGE.key)? as usize {
        0 => Some(view.layer().declared),
        1..8 => None,
        said => (said <= view.layer().declared).then_some(said),
    }
}

fn info(view: &LayerView<'_>) -> String {
    let covered = match view.number(COVERAGE.key) {
        Some(0) | None => String::new(),
        Some(said) => format!(" covers {said}"),
    };
    let (from, to) = (view.text("srcport"), view.text("dstport"));
    format!("{from} → {to} length {}{covered}", view.payload_len())
}

fn coverage(view: &LayerView<'_>) -> Option<String> {
    let said = view.number(COVERAGE.key)? as usize;
    let real = view.layer().declared;
    match said {
        1..8 => Some(format!("checksum coverage {said} leaves out a part of the header: receivers drop it")),
        _ if said > real => {
            Some(format!("checksum coverage {said} is more than the datagram's {real}: receivers drop it"))
        }
        _ => None,
    }
}
