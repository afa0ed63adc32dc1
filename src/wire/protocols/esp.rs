//! The header of an encapsulating security payload, RFC 4303, also within UDP (RFC 3948). What follows is encrypted.

use crate::wire::table::{Family, Field, Header, Length, Space, When};
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
    // Zero is never sent (RFC 4303 section 2.1): within UDP it marks a message of IKE (RFC 3948 section 2.2).
    only_when: Some(When { field: &SPI, is: &[0], not: true }),
    family: Family::Extension,
    info,
    warnings: &[spi_zero],
    ..Header::PLAIN
};

fn info(view: &LayerView<'_>) -> String {
    let (spi, sequence) = (view.text("spi"), view.text("sequence"));
    format!("SPI {spi} sequence {sequence}, {} bytes encrypted", view.payload_len())
}

fn spi_zero(view: &LayerView<'_>) -> Option<String> {
    (view.number(SPI.key) == Some(0)).then(|| "an SPI of 0 is never sent (RFC 4303 section 2.1)".into())
}
