//! Applications as layers: they are read, and they disturb no draft.
#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use rawbench::craft::build::Sources;
use rawbench::craft::draft::Draft;
use rawbench::craft::print::Detail;
use rawbench::wire::dissect::dissect;
use rawbench::wire::summary;

struct Nothing;

impl Sources for Nothing {
    fn random(&mut self, count: usize) -> Vec<u8> {
        vec![0; count]
    }
    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no {path}"))
    }
}

const ETHERNET: u32 = 1;

fn samples() -> Vec<Vec<u8>> {
    let lines = include_str!("oracle/apps.hex").lines().filter(|l| !l.starts_with('#'));
    let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap();
    lines.map(|line| line.as_bytes().chunks(2).map(pair).collect()).collect()
}

#[test]
fn a_text_behind_a_port_stays_the_payload() {
    let text = "eth/ip(dst=10.77.0.2)/tcp(dstport=80)/\"GET / HTTP/1.0\\r\\n\\r\\n\"";
    let draft = Draft::from_notation(text, &mut Nothing).unwrap();
    assert_eq!(draft.payload(), b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(draft.reading_differs(), None);
    let loaded = Draft::from_bytes(ETHERNET, draft.bytes(), false);
    assert_eq!(loaded.layers().len(), 3);
    assert_eq!(loaded.payload(), draft.payload());
    assert!(loaded.notation(Detail::Full).ends_with("/\"GET / HTTP/1.0\\r\\n\\r\\n\""));
}

#[test]
fn every_sample_loads_and_reads_back_to_its_bytes() {
    for frame in samples() {
        let draft = Draft::from_bytes(ETHERNET, &frame, false);
        assert_eq!(draft.bytes(), frame);
        assert_eq!(draft.reading_differs(), None);
        for detail in [Detail::Short, Detail::Full] {
            let text = draft.notation(detail);
            let again = Draft::from_notation(&text, &mut Nothing).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(again.bytes(), frame, "{text}");
        }
    }
}

#[test]
fn a_row_says_what_the_application_says() {
    let row = |nth: usize| {
        let row = summary::row(ETHERNET, &samples()[nth]);
        format!("{} {}", row.protocol, row.info)
    };
    assert_eq!(row(0), "DNS Standard query 0x1234 A www.example.com");
    assert_eq!(row(1), "DNS Standard query response 0x1234 A www.example.com, 3 answers");
    assert_eq!(row(2), "MDNS Standard query 0x0000 PTR _http._tcp.local");
    assert_eq!(row(4), "DNS Standard query 0x0007 MX example.org");
    assert_eq!(row(5), "HTTP GET /index.html?a=b HTTP/1.1");
    assert_eq!(row(8), "TLS Client Hello (SNI=www.example.com)");
    assert_eq!(row(9), "TLS Server Hello, Change Cipher Spec, Application Data");
    assert_eq!(row(10), "TLS Alert (Handshake Failure)");
    assert_eq!(row(11), "NTP NTP version 4, client");
    assert_eq!(row(13), "QUIC Initial, DCID=8394c8f03e515708, SCID=00010203");
}

#[test]
fn a_port_alone_makes_no_application() {
    for text in [
        "ip(dst=10.77.0.2)/tcp(dstport=443)/\"SSH-2.0-x\\r\\n\"",
        "ip(dst=10.77.0.2)/tcp(dstport=80)/\"GETTING on\"",
        "ip(dst=10.77.0.2)/tcp(dstport=6379)/\"GET key\\r\\n\"",
        "ip(dst=10.77.0.2)/udp(dstport=443)/hex(40 01 02 03 04 05 06 07)",
        "ip(dst=10.77.0.2)/udp(dstport=123)/hex(16 01 00 00 00 00 00 00)",
    ] {
        let draft = Draft::from_notation(text, &mut Nothing).unwrap();
        assert_eq!(dissect(101, draft.bytes()).layers.len(), 2, "{text}");
    }
}

#[test]
fn the_lower_port_is_asked_first_then_the_other() {
    let last = |ports: &str| {
        let text = format!("ip(dst=10.77.0.2)/udp({ports})/zero(48)");
        let draft = Draft::from_notation(&text, &mut Nothing).unwrap();
        dissect(101, draft.bytes()).layers.last().map(|l| l.header.key)
    };
    assert_eq!(last("srcport=53, dstport=40000"), Some("dns"));
    assert_eq!(last("srcport=40000, dstport=53"), Some("dns"));
    assert_eq!(last("srcport=123, dstport=53"), Some("dns"));
    assert_eq!(last("srcport=123, dstport=52"), Some("ntp"));
    assert_eq!(last("srcport=5353, dstport=5353"), Some("mdns"));
}
