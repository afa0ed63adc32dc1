//! What must hold for any input: the fuzz targets of `fuzz/` and `tests/fuzz_findings.rs` assert the same.
//!
//! Each function takes the bytes that a fuzzer makes up and panics where the program is wrong.
#![allow(dead_code, reason = "each program uses a part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

use std::sync::LazyLock;

use rawbench::cli::keys::{self, Meaning};
use rawbench::cli::packet::Packet;
use rawbench::cli::read::{tree, values};
use rawbench::craft::build::Sources;
use rawbench::craft::edit::new_option;
use rawbench::craft::print::Detail;
use rawbench::craft::stream::{Maker, Stream};
use rawbench::craft::{Draft, Override};
use rawbench::engine::script::{self, Came, Machine, Step, Why};
use rawbench::pcap::{self, InterfaceInfo, LinkType};
use rawbench::wire::dissect::{Dissection, MAX_LAYERS, dissect};
use rawbench::wire::flow::{FlowTable, Moment, Told, seen};
use rawbench::wire::protocols;
use rawbench::wire::reassembly::{Origin, Reassembler};
use rawbench::wire::table::Space;
use rawbench::wire::view::{Layer, LayerView};
use rawbench::wire::{checksum, summary};

/// Every link type that has a table, and one that has none.
static LINK_TYPES: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut all: Vec<u32> = vec![101, 228, 229, 0xffff];
    let found = protocols::ALL.iter().flat_map(|h| h.found_by);
    all.extend(found.filter(|(space, _)| *space == Space::LinkType).map(|(_, number)| *number));
    all.sort_unstable();
    all.dedup();
    all
});

/// The link type that the first two bytes name, and the packet.
fn packet_of(data: &[u8]) -> Option<(u32, &[u8])> {
    let (head, packet) = data.split_first_chunk::<2>()?;
    let number = u32::from(u16::from_be_bytes(*head));
    let known = LINK_TYPES.contains(&number);
    Some((if known { number } else { LINK_TYPES[number as usize % LINK_TYPES.len()] }, packet))
}

/// Headers follow each other without a gap, each inside the packet, and each list of options is whole.
fn layers_are_whole(bytes: &[u8], layers: &[Layer]) {
    let mut at = 0;
    for (index, layer) in layers.iter().enumerate() {
        let name = layer.header.key;
        assert_eq!(layer.start, at, "{name} stands elsewhere than the layer before it ends");
        at += layer.len;
        assert!(at <= bytes.len(), "{name} is longer than the packet");
        assert!(layer.end <= bytes.len(), "{name} ends behind the packet");
        list_is_whole(&LayerView { bytes, layers, index });
    }
}

/// The options cover their list, one after the other, those in another stand inside it, and no field stands outside.
fn list_is_whole(view: &LayerView<'_>) {
    let list = view.items_range();
    let name = view.layer().header.key;
    assert!(list.end <= view.bytes.len(), "{name}: the options end behind the packet");
    let spans = view.items();
    let mut at = list.start;
    let mut around: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        assert!(span.range.end > span.range.start, "{name}: option {index} has no bytes");
        assert!(span.end <= span.range.end && span.end >= span.range.start);
        assert!(span.depth <= around.len(), "{name}: option {index} stands in none");
        around.truncate(span.depth);
        if let Some(outer) = around.last() {
            let inside = outer.start <= span.range.start && span.range.end <= outer.end;
            assert!(inside, "{name}: option {index} stands outside of the one that it is in");
        } else {
            assert_eq!(span.range.start, at, "{name}: a gap before option {index}");
            at = span.range.end;
        }
        around.push(span.range.clone());
        let _ = span.terse_text(view.bytes);
        for found in view.item_fields(index, span) {
            let inside = found.bits.start >= span.range.start * 8 && found.bits.end() <= span.range.end * 8;
            assert!(inside, "{name}: {} stands outside of its option", found.field.key);
        }
    }
    assert!(
        spans.is_empty() || at == list.end,
        "{name}: the options end at {at}, their list at {}",
        list.end
    );
}

/// Layers, payload and trailer are all of the packet.
fn every_byte_belongs_somewhere(bytes: &[u8], found: &Dissection) {
    assert!(found.layers.len() <= MAX_LAYERS, "{} layers", found.layers.len());
    layers_are_whole(bytes, &found.layers);
    let headers = found.layers.iter().map(|l| l.len).sum::<usize>();
    assert!(found.payload.start <= found.payload.end && found.trailer.start <= found.trailer.end);
    let rest = found.payload.len() + found.trailer.len();
    assert_eq!(headers + rest, bytes.len(), "{headers} bytes of headers and {rest} others");
    assert_eq!((found.payload.end, found.trailer.end), (found.trailer.start, bytes.len()));
    if let Some(stop) = &found.stop {
        assert!(stop.at <= bytes.len() && !stop.why.is_empty());
    }
}

static MEANINGS: LazyLock<Vec<Meaning>> =
    LazyLock::new(|| keys::all().iter().filter_map(|l| keys::find(&l.key).ok()).collect());

/// Any bytes of any link type have layers, a row, a tree, JSON, and a text for each field.
pub fn dissect_packet(link_type: u32, bytes: &[u8]) {
    let found = dissect(link_type, bytes);
    every_byte_belongs_somewhere(bytes, &found);
    let _ = summary::row(link_type, bytes);
    for index in 0..found.layers.len() {
        let _ = checksum::verdict(bytes, &found.layers, index, false);
        let view = found.view(bytes, index);
        for field in view.fields() {
            assert!(field.bits.end() <= bytes.len() * 8, "{} is not there", field.field.key);
            let _ = field.text(bytes);
        }
        for warning in view.layer().header.warnings {
            let _ = warning(&view);
        }
    }
    let interface = InterfaceInfo::new("f0", LinkType(link_type));
    let mut segments = Vec::new();
    seen(bytes, &found.layers, 0, &mut segments);
    let mut table = FlowTable::default();
    let told: Vec<Told> =
        segments.iter().map(|seen| table.take(Moment { number: 1, time_ns: 1 }, seen)).collect();
    let packet = Packet {
        number: 1,
        time_ns: Some(1),
        original: bytes.len() as u32 + u32::from(bytes.first().copied().unwrap_or(0)) % 3,
        bytes,
        left_to_card: bytes.len() % 2 == 1,
        interface: Some(&interface),
        first_ns: 0,
        previous_ns: 0,
        flows: &told,
    };
    let mut out = Vec::new();
    packet.write_row(&mut out).unwrap();
    let from = Origin { packet: 1, ..Origin::default() };
    let datagrams = Reassembler::default().add(&from, bytes, &found.layers);
    tree::write(&packet, &found, &datagrams, &mut out).unwrap();
    packet.write_json(&found, &datagrams, &mut out).unwrap();
    values::write_line(&MEANINGS, &packet, &mut out).unwrap();
    let text = String::from_utf8(out).expect("what is printed is text");
    assert!(text.ends_with('\n'));
}

/// The target `dissect`: two bytes for the link type, then the packet.
pub fn dissect_bytes(data: &[u8]) {
    if let Some((link_type, packet)) = packet_of(data) {
        dissect_packet(link_type, packet);
    }
}

/// No file, and a limit on random bytes.
struct Nothing;

impl Sources for Nothing {
    fn random(&mut self, count: usize) -> Vec<u8> {
        assert!(count <= 1 << 20, "{count} random bytes for a packet");
        vec![0; count]
    }

    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no file {path}"))
    }
}

fn reads_back(draft: &Draft, detail: Detail) {
    let text = draft.notation(detail);
    match Draft::from_notation(&text, &mut Nothing) {
        Ok(again) => assert_eq!(again.bytes(), draft.bytes(), "{text}"),
        Err(error) => panic!("{}", error.render(&text)),
    }
}

/// A packet that is loaded to be edited keeps each byte.
pub fn loads_unchanged(link_type: u32, packet: &[u8]) -> Draft {
    let draft = Draft::from_bytes(link_type, packet, false);
    assert_eq!(draft.bytes(), packet, "loading changed the packet");
    draft_is_whole(&draft);
    draft
}

/// The target `craft_from_dissect`: two bytes for the link type, then the packet.
pub fn craft_from_dissect(data: &[u8]) {
    let Some((link_type, packet)) = packet_of(data) else { return };
    let draft = loads_unchanged(link_type, packet);
    reads_back(&draft, Detail::Full);
    reads_back(&draft, Detail::Short);
}

/// The target `notation`: any text is a packet or an error that shows its place.
pub fn notation(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Draft::from_notation(text, &mut Nothing) {
        Ok(draft) => {
            draft_is_whole(&draft);
            let _ = (draft.notation(Detail::Full), draft.warnings(), draft.overwrites());
        }
        Err(error) => assert!(!error.render(text).is_empty()),
    }
    if let Ok(stream) = Stream::from_notation(text, &mut Nothing)
        && !stream.varying().is_empty()
        && stream.varying().len() < 50
        && stream.draft().bytes().len() < 10_000
    {
        let maker = Maker::new(stream);
        let mut bytes = Vec::new();
        for number in 0..3 {
            maker.make(number, &mut bytes, number > 0);
            assert_eq!(bytes, maker.stream().packet(number).bytes(), "patched is not as built: {text}");
        }
    }
}

/// Any text is a script or has a place where it is wrong; a script comes to its end, whatever answers.
pub fn script(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let script = match script::parse(text, &[], &mut Nothing) {
        Ok(script) => script,
        Err(error) => {
            assert!(error.at.start <= error.at.end, "{error:?}");
            assert!(text.is_char_boundary(error.at.start.min(text.len())), "{error:?}");
            assert!(!error.render(text).is_empty());
            return;
        }
    };
    let _ = script.packets();
    let mut machine = Machine::new(script, None, false, 5, 0);
    let mut now = 0;
    // Rounds in rounds may be many.
    for _ in 0..2000 {
        match machine.step(now) {
            Step::Over => return,
            Step::Wait(until) => now = until.max(now + 1),
            Step::Send(text) => match Draft::from_notation(&text, &mut Nothing) {
                Ok(draft) => {
                    machine.going(101, draft.bytes(), now);
                    machine.sent(Ok(()));
                    let bytes = draft.bytes().to_vec();
                    machine.came(Came { link_type: 101, time_ns: now + 1, outgoing: false, bytes });
                }
                Err(error) => machine.sent(Err(Why::Wrong(error.message))),
            },
        }
        while machine.told().is_some() {}
    }
    machine.stop();
    assert_eq!(machine.step(now), Step::Over);
}

fn draft_is_whole(draft: &Draft) {
    layers_are_whole(draft.bytes(), draft.layers());
    let payload = draft.payload_range();
    let headers = draft.layers().last().map_or(0, |l| l.start + l.len);
    assert_eq!(payload.start, headers, "the payload does not follow the headers");
    assert!(payload.end <= draft.bytes().len());
    for layer in 0..draft.layers().len() {
        for span in draft.options(layer) {
            assert!(span.range.end <= draft.bytes().len());
        }
    }
}

/// What the option editor can do: one operation for each four bytes.
fn edit(draft: &mut Draft, [what, layer, at, value]: [u8; 4]) {
    let count = draft.layers().len();
    if count == 0 {
        return;
    }
    let (layer, at, value) = (usize::from(layer) % count, usize::from(at), usize::from(value));
    let header = draft.layers()[layer].header;
    // What does not fit is refused; that is no finding.
    let _ = match what % 12 {
        0..=3 => {
            let Some(list) = header.list(draft.view(layer).header_bytes()) else { return };
            let item = list.items.get(value % (list.items.len() + 1)).unwrap_or(list.unknown);
            let option = new_option(list, item, item.kind.unwrap_or(value as u32));
            draft.insert_option(layer, at, option)
        }
        4 | 5 => draft.remove_option(layer, at % 16),
        6 => draft.move_option(layer, at % 16, value % 16),
        7 | 8 => {
            let fields = draft.view(layer).fields();
            let Some(found) = fields.get(at % fields.len().max(1)) else { return };
            if what % 12 == 7 {
                draft.set(found.path, value as u128)
            } else {
                draft.set_text(found.path, 1, &"ab".repeat(value))
            }
        }
        9 => match protocols::ALL.get(value) {
            Some(header) => draft.insert_layer(at % (count + 1), header),
            None => {
                draft.remove_layer(layer);
                Ok(())
            }
        },
        10 => draft.set_payload(&vec![at as u8; value]),
        _ => {
            let fields = draft.view(layer).fields();
            let Some(found) = fields.get(at % fields.len().max(1)) else { return };
            match value % 3 {
                0 => draft.pin(found.path),
                1 => draft.release(found.path),
                _ => draft.make_wrong(found.path),
            }
            let _: Option<Override> = draft.override_of(found.path);
            Ok(())
        }
    };
}

/// The target `options`: two bytes for the link type, one for the number of edits, four for each, then the packet.
pub fn options(data: &[u8]) {
    let Some((link_type, rest)) = packet_of(data) else { return };
    let Some((&count, rest)) = rest.split_first() else { return };
    let (edits, packet) = rest.split_at((usize::from(count % 24) * 4).min(rest.len()));
    let mut draft = Draft::from_bytes(link_type, packet, false);
    for operation in edits.as_chunks::<4>().0 {
        edit(&mut draft, *operation);
        draft_is_whole(&draft);
    }
    let _ = (draft.notation(Detail::Short), draft.warnings(), draft.overwrites(), draft.reading_differs());
}

/// The target `capture_file`: any bytes are a capture of so many packets, none of which takes bytes from another.
pub fn capture_file(data: &[u8]) {
    let Ok((capture, report)) = pcap::open_stream(data) else { return };
    assert_eq!(report.packets, capture.len() as u64);
    let interfaces = capture.interfaces();
    let mut reader = capture.reader();
    let mut total = 0;
    let mut reassembler = Reassembler::default();
    for (position, entry) in capture.index().snapshot().iter().enumerate() {
        let length = reader.bytes(entry).expect("an indexed packet is there").len();
        assert_eq!(length, entry.captured as usize);
        assert!(usize::from(entry.interface) < interfaces.len(), "no interface {}", entry.interface);
        let record = reader.record(position).expect("an indexed packet is there");
        assert_eq!(record.data.len(), length);
        total += length;
        let link_type = interfaces[usize::from(entry.interface)].link_type.0;
        let layers = dissect(link_type, record.data).layers;
        let from = Origin { packet: position + 1, time_ns: Some(record.timestamp_ns), left_to_card: false };
        for datagram in reassembler.add(&from, record.data, &layers) {
            assert!(!datagram.title().is_empty());
        }
    }
    assert!(total <= data.len(), "{total} bytes of packets in a file of {}", data.len());
}
