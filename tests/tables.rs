//! Invariants over the whole registry: a new protocol is tested by being there.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use proptest::prelude::*;
use rawbench::craft::build::Sources;
use rawbench::craft::draft::Draft;
use rawbench::craft::edit::new_option;
use rawbench::craft::options::form_name;
use rawbench::craft::print::Detail;
use rawbench::wire::bits::{self, BitRange};
use rawbench::wire::checksum;
use rawbench::wire::dissect::dissect;
use rawbench::wire::items;
use rawbench::wire::protocols;
use rawbench::wire::table::{Coverage, Field, Header, Item, Kind, Length};

/// No payload has to be fetched.
struct Nothing;

impl Sources for Nothing {
    fn random(&mut self, count: usize) -> Vec<u8> {
        vec![0; count]
    }
    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no {path}"))
    }
}

/// The fields that are there in `header`.
fn active<'a>(table: &'a Header, header: &'a [u8]) -> impl Iterator<Item = &'static Field> + 'a {
    table.fields.iter().filter(|f| f.when.is_none_or(|w| w.holds(header)))
}

/// Headers with every value of every field that decides about others.
fn variants(table: &Header) -> Vec<Vec<u8>> {
    let mut all = vec![table.blank()];
    for when in table.leaves().filter_map(|f| f.when) {
        for &value in when.is {
            let mut header = table.blank();
            assert!(bits::set(&mut header, when.field.bits, u128::from(value)));
            all.push(header);
        }
        let field = when.field;
        for value in 0..=bits::max_value(field.bits.width.min(8)) {
            let mut header = table.blank();
            assert!(bits::set(&mut header, field.bits, value));
            all.push(header);
        }
    }
    all
}

#[test]
fn leaves_tile_each_header() {
    for table in protocols::ALL {
        for header in variants(table) {
            let mut at = 0;
            for leaf in active(table, &header).filter(|f| !f.group) {
                assert_eq!(leaf.bits.start, at, "{}.{}: a gap or an overlap", table.key, leaf.key);
                at = leaf.bits.end();
            }
            let fixed = table.fixed_len(&header);
            assert_eq!(at, fixed * 8, "{}: the leaves do not reach the end", table.key);
        }
    }
}

#[test]
fn what_decides_the_length_of_a_header_is_always_there() {
    for table in protocols::ALL {
        let always = table.min_len() * 8;
        if let Length::Cases { cases, otherwise } = table.length {
            for (when, len) in cases {
                assert!(when.field.bits.end() <= always && *len >= otherwise, "{}", table.key);
            }
        }
        let Some(list) = table.items else { continue };
        assert!(list.when.is_none_or(|w| w.field.bits.end() <= always), "{}", table.key);
        assert!(list.unit > 0 && list.align > 0, "{}", table.key);
        for item in list.items.iter().filter(|i| !i.single) {
            assert_eq!(item.length % list.unit, 0, "{}", item.key);
            assert_eq!(item.fixed_bytes().max(2) % list.unit * item.length, 0, "{}", item.key);
        }
    }
}

#[test]
fn groups_are_unions_of_leaves() {
    for table in protocols::ALL {
        for header in variants(table) {
            let active: Vec<&Field> = active(table, &header).collect();
            groups_are_whole(table.key, &active);
        }
        let items = table.items.map_or(&[][..], |l| l.items);
        items.iter().for_each(|item| groups_are_whole(item.key, &item.fields.iter().collect::<Vec<_>>()));
    }
}

fn groups_are_whole(key: &str, fields: &[&Field]) {
    for group in fields.iter().filter(|f| f.group) {
        let inside =
            |f: &&&Field| !f.group && f.bits.start >= group.bits.start && f.bits.end() <= group.bits.end();
        let inside: Vec<_> = fields.iter().filter(inside).collect();
        let width = inside.iter().map(|f| f.bits.width).sum::<usize>();
        assert!(width == group.bits.width || width == 0, "{key}.{}", group.key);
        let whole = |f: &Field| f.bits == group.bits;
        assert!(
            inside.iter().all(|f| f.compute.is_none() || whole(f)),
            "{key}.{}: computed leaf in a group",
            group.key
        );
    }
}

#[test]
fn keys_are_unique_and_defaults_fit() {
    for table in protocols::ALL {
        for header in variants(table) {
            let mut names: Vec<&str> = Vec::new();
            for field in active(table, &header) {
                names.push(field.key);
                names.extend(field.aliases.iter().map(|a| a.0));
                assert!(field.default <= bits::max_value(field.bits.width), "{}.{}", table.key, field.key);
                assert!(!field.label.is_empty());
                assert!(field.kind != Kind::Flag || field.bits.width == 1, "{}.{}", table.key, field.key);
            }
            let before = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), before, "{}: a key occurs twice", table.key);
        }
    }
    let mut keys: Vec<&str> = protocols::ALL.iter().map(|h| h.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), protocols::ALL.len());
}

#[test]
fn checksums_stand_on_words() {
    for table in protocols::ALL {
        if let Some((_, field, coverage, _)) = checksum::field(table, &table.blank()) {
            let width = if coverage == Coverage::Crc32c { 32 } else { 16 };
            assert_eq!((field.bits.start % 16, field.bits.width), (0, width), "{}", table.key);
        }
    }
}

#[test]
fn option_tables_tile_too() {
    let lists = protocols::ALL.iter().filter_map(|h| h.items);
    for item in lists.flat_map(|l| l.items.iter().chain([l.unknown])) {
        item_tiles(item);
    }
}

fn item_tiles(item: &Item) {
    let mut at = 0;
    for field in item.fields.iter().filter(|f| !f.group) {
        assert_eq!(field.bits.start, at, "{}.{}", item.key, field.key);
        at = field.bits.end();
    }
    let open = item.fields.last().is_some_and(|f| f.bits.width == 0);
    if item.length > 0 && !open {
        assert_eq!(at, item.length * 8, "{}", item.key);
    }
    let mut at = 0;
    for field in item.repeat {
        assert_eq!(field.bits.start, at, "{}.{}", item.key, field.key);
        at = field.bits.end();
    }
    assert_eq!(at % 8, 0);
}

#[test]
fn a_new_option_is_what_it_was_made_as() {
    for table in protocols::ALL {
        if let Some(list) = table.items {
            for item in list.items {
                let bytes = new_option(list, item, item.kind.unwrap_or(0));
                let found = items::walk(list, &bytes, 0);
                assert_eq!((found.len(), found[0].item.name), (1, item.name), "{}", table.key);
                assert!(std::ptr::eq(found[0].item, item), "{}.{}: another form of it", table.key, item.key);
            }
        }
    }
}

#[test]
fn every_form_of_an_option_has_a_name_of_its_own() {
    for list in protocols::ALL.iter().flat_map(|h| h.lists()).flat_map(|l| l.with_inner()) {
        let mut names: Vec<String> = list.items.iter().map(|i| form_name(list, i)).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert!(twice.is_none(), "{}: {twice:?}", list.key);
    }
}

#[test]
fn fields_past_a_pointer_stand_where_the_others_stand() {
    let lists = protocols::ALL.iter().filter_map(|h| h.items);
    for item in lists.flat_map(|l| l.items) {
        let Some(pointer) = item.pointer else { continue };
        let shape = |f: &Field| (f.bits, f.kind);
        assert!(item.repeat.iter().map(shape).eq(pointer.past.iter().map(shape)), "{}", item.key);
    }
}

proptest! {
    #[test]
    fn any_options_read_back_from_their_notation(
        which: usize, picks in proptest::collection::vec((any::<usize>(), any::<[u8; 24]>(), 0usize..40), 1..4),
    ) {
        let tables: Vec<&Header> = protocols::ALL.iter().copied().filter(|h| h.items.is_some_and(|l| l.limit.is_some())).collect();
        let table = tables[which % tables.len()];
        let list = table.items.unwrap();
        let mut options = Vec::new();
        for (pick, noise, bit) in picks {
            // Geneve knows no kind of option by name.
            let item = if list.items.is_empty() { list.unknown } else { &list.items[pick % list.items.len()] };
            let mut bytes = new_option(list, item, item.kind.unwrap_or(0));
            for (byte, noise) in bytes.iter_mut().skip(4).zip(noise) {
                *byte ^= noise;
            }
            // Now and then a damaged kind, length or flag.
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            options.extend(bytes);
        }
        options.truncate(40);
        options.resize(options.len().next_multiple_of(4), 0);
        let mut packet = table.blank();
        packet.extend(&options);
        let said = match table.length { Length::Said { by, .. } => by, _ => return Ok(()) };
        let len = packet.len() as u128 / u128::from(said.scale);
        prop_assert!(bits::set(&mut packet, said.bits, len));
        let link = if table.key == "ip" { 101 } else {
            let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            ip[3] = (20 + packet.len()) as u8;
            packet = [ip, packet].concat();
            101
        };
        let draft = Draft::from_bytes(link, &packet, false);
        prop_assert_eq!(draft.bytes(), &packet[..]);
        for detail in [Detail::Short, Detail::Full] {
            let text = draft.notation(detail);
            let read = Draft::from_notation(&text, &mut Nothing);
            prop_assert!(read.is_ok(), "{text}: {read:?}");
            let read = read.unwrap();
            prop_assert_eq!(read.bytes(), &packet[..], "{}", text);
        }
    }

    #[test]
    fn any_fitting_value_round_trips_and_disturbs_no_other_bit(seed: u128, fill: u8, which: usize) {
        let table = protocols::ALL[which % protocols::ALL.len()];
        for field in table.fields.iter().filter(|f| f.bits.width <= 128) {
            let longest = table.fields.iter().map(|f| f.bits.end()).max().unwrap_or(0);
            let mut header = vec![fill; longest.div_ceil(8)];
            let before = header.clone();
            let value = seed & bits::max_value(field.bits.width);
            prop_assert!(bits::set(&mut header, field.bits, value));
            prop_assert_eq!(bits::get(&header, field.bits), Some(value));
            for bit in (0..header.len() * 8).filter(|b| *b < field.bits.start || *b >= field.bits.end()) {
                let one = BitRange { start: bit, width: 1 };
                prop_assert_eq!(bits::get(&header, one), bits::get(&before, one));
            }
            if field.bits.width < 128 {
                prop_assert!(!bits::set(&mut header, field.bits, bits::max_value(field.bits.width) + 1));
            }
        }
    }

    #[test]
    fn no_input_panics_and_every_byte_has_a_place(
        link in prop_oneof![Just(1u32), Just(0), Just(9), Just(101), Just(108), Just(113), Just(228), Just(276), any::<u32>()],
        bytes in proptest::collection::vec(any::<u8>(), 0..200), shape in 0usize..20, kind in 130u8..140,
    ) {
        let mut bytes = bytes;
        // Random bytes rarely get past the first header: give some of them a plausible beginning.
        let start: &[u8] = match shape {
            1 => &[0x45, 0, 0, 60, 0, 0, 0, 0, 64, 6],
            2 => &[0x46, 0, 0, 70, 0, 0, 0, 0, 64, 1],
            3 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0x4f, 0, 0, 80, 0, 0, 0, 0, 64, 17],
            4 => &[0x60, 0, 0, 0, 0, 99, 58, 255],
            5 => &[0x60, 0, 0, 0, 0, 0, 6, 64],
            6 => &[0x60, 0, 0, 0, 0, 0, 59, 64],
            7 => &[0x60, 0, 0, 0, 0, 20, 58, 64],
            8 => &[0; 14],
            9 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 0xaa, 0xaa, 3, 0, 0, 0],
            10 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 1, 0, 60],
            11 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0xa8, 0, 1, 0x81, 0],
            12 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0x47],
            13 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0x64, 0x11, 0],
            14 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0x63, 0x11, 9],
            15 | 16 => &[0x45, 0, 0, 90, 0, 0, 0, 0, 64, 47],
            17 => &[
                0x45, 0, 0, 99, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x12, 0xb5, 0, 79,
            ],
            _ => &[],
        };
        let n = start.len().min(bytes.len());
        bytes[..n].copy_from_slice(&start[..n]);
        let link = match shape { 1 | 2 | 4..=7 | 15..=17 => 101, 3 | 8..=14 => 1, _ => link };
        if let (4, Some(at)) = (shape, bytes.get_mut(40)) {
            *at = kind;
        }
        let found = dissect(link, &bytes);
        let mut at = 0;
        for (i, layer) in found.layers.iter().enumerate() {
            prop_assert_eq!(layer.start, at);
            at += layer.len;
            prop_assert!(layer.end <= bytes.len());
            let view = found.view(&bytes, i);
            for field in view.fields() {
                prop_assert!(field.bits.end() <= bytes.len() * 8);
                let _ = field.text(&bytes);
            }
            let items = view.items();
            let covered: usize = items.iter().filter(|s| s.depth == 0).map(|s| s.range.len()).sum();
            prop_assert_eq!(covered, view.items_range().len());
            let _ = checksum::verdict(&bytes, &found.layers, i, false);
            let _ = (layer.header.info)(&view);
            for warning in layer.header.warnings {
                let _ = warning(&view);
            }
        }
        prop_assert_eq!(found.payload.start, at.min(found.payload.end));
        prop_assert_eq!(found.payload.end, found.trailer.start);
        prop_assert_eq!(found.trailer.end, bytes.len());
        let _ = rawbench::wire::summary::row(link, &bytes);
    }
}
