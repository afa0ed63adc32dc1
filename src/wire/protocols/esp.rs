//! The header of an encapsulating security payload, RFC 4303, also within UDP (RFC 3948). What follows is encrypted.

use crate::wire::table::{Family, Field, Header, Length, Shown, Space, When};
use crate::wire::view::LayerView;

const SPI: Field = Field::hex("spi", "Security Parameters Index", 0, 32).short("SPI").default(0x100);

/// ESP.
pub static HEADER: Header = Header {
    key: "esp",
    name: "Encapsulating Security Payload",
    short: "ESP",
    reference: "RFC 4303",
    fields: &[SPI, Field::number("sequence", "Sequence Number", 32, 32).alias(&[("seq", 1)]).default(1)],
    length: Length::Fixed(8),
    found_by: &[(Space::IpProtocol, 50), (Space::UdpPort, 4500)],
    family: Family::Extension,
    info,
    warnings: &[spi_zero],
    ..Header::PLAIN
};

/// What stands before a message of IKE in the place of an SPI, which zero never is: RFC 3948 section 2.2.
pub static MARKER: Header = Header {
    key: "udpencap",
    name: "UDP Encapsulation of IPsec Packets",
    short: "UDPENCAP",
    reference: "RFC 3948 section 2.2",
    fields: &[NON_ESP],
    length: Length::Fixed(4),
    found_by: &[(Space::UdpPort, 4500)],
    only_when: Some(When::is(&NON_ESP, &[0])),
    family: Family::Extension,
    info: |view| format!("IKE, {} bytes", view.payload_len()),
    ..Header::PLAIN
};
const NON_ESP: Field = Field::hex("non_esp_marker", "Non-ESP Marker", 0, 32).shown(Shown::Present);

/// A single byte that keeps a translation of addresses alive: RFC 3948 section 2.3.
pub static KEEPALIVE: Header = Header {
    key: "udpencap.keepalive",
    prefix: "udpencap",
    name: "NAT Keepalive",
    reference: "RFC 3948 section 2.3",
    fields: &[Field::hex("nat_keepalive", "NAT Keepalive", 0, 8).default(0xff).shown(Shown::Present)],
    length: Length::Fixed(1),
    accepts: Some(|bytes| bytes == [0xff]),
    only_when: None,
    info: |_| "NAT keepalive".into(),
    ..MARKER
};

fn info(view: &LayerView<'_>) -> String {
    let (spi, sequence) = (view.text("spi"), view.text("sequence"));
    format!("SPI {spi} sequence {sequence}, {} bytes encrypted", view.payload_len())
}

fn spi_zero(view: &LayerView<'_>) -> Option<String> {
    (view.number(SPI.key) == Some(0)).then(|| "an SPI of 0 is never sent (RFC 4303 section 2.1)".into())
}
