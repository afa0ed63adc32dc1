//! Packets made at random from the tables: for each header of the registry, at a random place where something leads to it.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rawbench::wire::bits::{self, BitRange};
use rawbench::wire::dissect::{Dissection, dissect};
use rawbench::wire::protocols;
use rawbench::wire::table::{Compute, Field, Fills, Header, Item, ItemList, Kind, Length, Space, To, When};

use super::cli::Dice;

/// LINKTYPE_RAW, where the packet itself says which header it begins with.
const RAW: u32 = 101;

/// Headers one behind the other that tshark does not read so: PARENT CHILD REASON.
const APART: &str = include_str!("../oracle/apart.txt");

/// Whether they are in that list.
fn is_apart(parent: &Header, child: &Header) -> bool {
    is_listed(parent.key, child.key)
}

fn is_listed(parent: &str, child: &str) -> bool {
    let lines = APART.lines().filter(|l| !l.starts_with('#'));
    let mut pairs = lines.filter_map(|l| l.split_once(' '));
    pairs.any(|(parents, rest)| {
        parents.split(',').any(|p| p == parent) && rest.split_whitespace().next() == Some(child)
    })
}

/// The fields of a header that keep a value.
fn held(header: &'static Header) -> Forced {
    fields_in_list(header, "=")
}

/// The fields of a header that have any value but one.
fn excluded(header: &'static Header) -> Forced {
    fields_in_list(header, "!")
}

fn fields_in_list(header: &'static Header, sign: &str) -> Forced {
    let lines = APART.lines().filter(|l| !l.starts_with('#'));
    let lines =
        lines.filter_map(|l| l.split_once(' ')).filter(|(h, _)| h.split(',').any(|h| h == header.key));
    let fields = lines.filter_map(|(_, rest)| rest.split_whitespace().next()?.split_once(sign));
    let named = |key| header.fields.iter().filter(move |f| f.scale_for(key).is_some());
    fields.flat_map(|(key, value)| named(key).map(|f| (f.bits, value.parse().unwrap()))).collect()
}

/// A packet and what a file says of it.
pub struct Made {
    /// What it was made for.
    pub name: String,
    /// It is a pair that tshark does not read so.
    pub apart: bool,
    pub link_type: u32,
    pub bytes: Vec<u8>,
}

/// What a header must say: bits and their value.
type Forced = Vec<(BitRange, u128)>;

/// A header before another, with what it must say for it to follow.
#[derive(Clone)]
struct Parent {
    header: &'static Header,
    says: Forced,
    /// What the header that follows must say.
    asks: Forced,
}

/// Makes packets.
pub struct Maker {
    pub dice: Dice,
    bytes: Vec<u8>,
    layers: Vec<(&'static Header, usize, usize)>,
    /// Whether this one keeps its lengths and counts consistent.
    consistent: bool,
    /// Headers that may stand on a roundabout way.
    turns: usize,
}

impl Maker {
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), bytes: Vec::new(), layers: Vec::new(), consistent: true, turns: 2 }
    }

    /// A packet with this header in it, all of whose fields are random; `None` where it could not be reached.
    pub fn packet(&mut self, header: &'static Header) -> Option<Made> {
        (0..100).find_map(|_| self.attempt(header))
    }

    fn attempt(&mut self, header: &'static Header) -> Option<Made> {
        self.bytes.clear();
        self.layers.clear();
        self.consistent = !self.dice.one_in(6);
        let (link_type, way) = self.way(header)?;
        let mut asked = Vec::new();
        for parent in &way {
            self.plain(parent.header, &[asked.as_slice(), &parent.says].concat());
            asked.clone_from(&parent.asks);
        }
        let at = self.bytes.len();
        let mut next = Some((header, asked));
        for depth in 0.. {
            let Some((header, asked)) = next.take() else { break };
            let must = is_listed(header.key, "payload");
            let child = (depth < 3 && !self.dice.one_in(3) || depth < 8 && must)
                .then(|| self.child(header))
                .flatten();
            let says = child.as_ref().map(|c| c.says.clone()).unwrap_or_default();
            self.random(header, &[asked, says].concat());
            next = child.map(|c| (c.header, c.asks));
        }
        // A quotation is another packet, no payload; a list to the end of the message has all of it.
        let plain = |h: &Header| {
            h.next.iter().all(|n| !n.quoted)
                && !is_listed(h.key, "payload")
                && !h.items.is_some_and(|l| l.fills == Fills::Message)
        };
        if self.layers.last().is_some_and(|(h, ..)| plain(h)) {
            let count = 1 + self.dice.below(40);
            let payload = self.dice.bytes(count);
            self.bytes.extend(payload);
        }
        let last = self.layers.last()?.0;
        if is_listed(last.key, "payload") && !children(last).is_empty() {
            return None;
        }
        self.lengths();
        let found = dissect(link_type, &self.bytes);
        let is_there = |key: &str, at| found.layers.iter().any(|l| l.header.key == key && l.start == at);
        let there =
            is_there(header.key, at) && self.layers.iter().all(|(h, start, _)| is_there(h.key, *start));
        there.then(|| Made {
            name: header.key.to_owned(),
            apart: false,
            link_type,
            bytes: self.bytes.clone(),
        })
    }

    /// For each header and each that may follow it a packet with both, as they are by default.
    pub fn pairs(&mut self) -> Vec<Made> {
        self.turns = 0;
        let all = protocols::ALL.iter().flat_map(|p| children_of(p).into_iter().map(move |c| (*p, c)));
        let mut seen = std::collections::BTreeSet::new();
        let all: Vec<_> = all.filter(|(p, c)| seen.insert((p.key, c.header.key))).collect();
        all.into_iter()
            .filter_map(|(parent, child)| (0..40).find_map(|_| self.pair(parent, &child)))
            .collect()
    }

    fn pair(&mut self, parent: &'static Header, child: &Child) -> Option<Made> {
        self.bytes.clear();
        self.layers.clear();
        self.consistent = true;
        let (link_type, way) = self.way(parent)?;
        let mut asked = Vec::new();
        for parent in &way {
            self.plain(parent.header, &[asked.as_slice(), &parent.says].concat());
            asked.clone_from(&parent.asks);
        }
        self.plain(parent, &[asked.as_slice(), &child.says].concat());
        let at = self.bytes.len();
        self.plain(child.header, &child.asks);
        // Nothing that could be taken for another header.
        self.bytes.extend([0xfe; 20]);
        self.lengths();
        let found = dissect(link_type, &self.bytes);
        let there = found.layers.iter().any(|l| l.header.key == child.header.key && l.start == at);
        let name = format!("{}/{}", parent.key, child.header.key);
        there.then(|| Made {
            name,
            apart: is_apart(parent, child.header),
            link_type,
            bytes: self.bytes.clone(),
        })
    }

    /// A way from a link type to a header.
    fn way(&mut self, header: &'static Header) -> Option<(u32, Vec<Parent>)> {
        let mut way: Vec<Parent> = Vec::new();
        let mut first = header;
        loop {
            let links: Vec<u32> = starts(first);
            let far = way.len() >= self.turns;
            if !links.is_empty() && (far || self.dice.one_in(2)) {
                way.reverse();
                return Some((self.dice.pick(&links), way));
            }
            let mut parents = parents(first).to_vec();
            if far {
                let least = parents.iter().map(|p| depth(p.header)).min();
                parents.retain(|p| Some(depth(p.header)) == least);
            }
            if parents.is_empty() || way.len() > 6 {
                let link = *links.first()?;
                way.reverse();
                return Some((link, way));
            }
            let parent = parents.swap_remove(self.dice.below(parents.len()));
            first = parent.header;
            way.push(parent);
        }
    }

    /// Something that may follow a header.
    fn child(&mut self, header: &'static Header) -> Option<Child> {
        let all = children(header);
        (!all.is_empty()).then(|| all[self.dice.below(all.len())].clone())
    }

    /// A header as it is by default, between random ends.
    fn plain(&mut self, header: &'static Header, says: &[(BitRange, u128)]) {
        let mut bytes = force(header.completed(Vec::new()), &only(header));
        bytes = header.completed(force(bytes, says));
        let ends = header.ends.map_or([None; 2], |(a, b)| [Some(a), Some(b)]);
        let port = |f: &&Field| f.key.ends_with("port");
        for field in ends.into_iter().flatten().chain(header.fields.iter().filter(port)) {
            if field.is_in(&bytes) && !says.iter().any(|(bits, _)| *bits == field.bits) {
                // No number that means a protocol.
                let max = bits::max_value(field.bits.width).min(u128::from(u64::MAX)) as u64;
                let value =
                    if port(&field) { 40_000 + self.dice.number(9_999) } else { self.dice.number(max) };
                put(&mut bytes, field.bits, u128::from(value));
            }
        }
        self.layers.push((header, self.bytes.len(), bytes.len()));
        self.bytes.extend(bytes);
    }

    fn random(&mut self, header: &'static Header, says: &[(BitRange, u128)]) {
        let asked = says;
        let mut says = [held(header), says.to_vec(), only(header)].concat();
        let deciding = deciding(header);
        let mut bytes = vec![0; header.min_len()];
        // The same field decides in several places: once is enough.
        for when in &deciding {
            let known = says.iter().any(|(bits, _)| *bits == when.field.bits);
            if !known
                && self.dice.one_in(deciding.len() + 1)
                && let Some(one) = self.holding(when)
            {
                says.push(one);
            }
        }
        for conditional in [false, true] {
            for field in header.leaves().filter(|f| f.when.is_some() == conditional) {
                bytes.resize(bytes.len().max(field.bits.end().div_ceil(8)), 0);
                if field.is_in(&bytes) {
                    self.fill(&mut bytes, field, field.bits);
                }
            }
            bytes = force(bytes, &says);
        }
        if excluded(header).iter().any(|(bits, value)| bits::get(&bytes, *bits) == Some(*value)) {
            self.random(header, asked);
            return;
        }
        bytes.resize(header.fixed_len(&bytes), 0);
        let fixed = bytes.len();
        if let Some(list) = header.list(&bytes) {
            let limit = list.limit.unwrap_or(200);
            let mut items = self.items(list, &mut bytes, limit, 0);
            items.resize(items.len() + list.padding(items.len()), 0);
            bytes.extend(items);
        }
        if let Some((by, _)) = header.said_len(&bytes) {
            let stored = header.length_of(bytes.len()) as u128;
            put(&mut bytes, by.bits, by.stored(stored));
        }
        let count = header.fields.iter().find(|f| f.compute == Some(Compute::ItemCount));
        if let (Some(count), Some(list)) = (count, header.list(&bytes)) {
            let items = rawbench::wire::items::walk_in(list, &bytes, &bytes[fixed..], 0);
            put(&mut bytes, count.bits, items.iter().filter(|i| i.depth == 0).count() as u128);
        }
        self.layers.push((header, self.bytes.len(), bytes.len()));
        self.bytes.extend(bytes);
    }

    /// Whether a length or a count is to be wrong.
    fn wrong(&mut self) -> bool {
        !self.consistent && self.dice.one_in(3)
    }

    /// Bits that make a condition hold.
    fn holding(&mut self, when: &When) -> Option<(BitRange, u128)> {
        let value = if when.not {
            let max = bits::max_value(when.field.bits.width.min(32)) as u64;
            (0..20).map(|_| self.dice.number(max)).find(|v| !when.is.contains(v))?
        } else {
            self.dice.pick(when.is)
        };
        Some((when.field.bits, u128::from(value)))
    }

    fn fill(&mut self, bytes: &mut [u8], field: &Field, bits: BitRange) {
        if field.kind.is_bytes() {
            let random = self.raw(field.kind, bits.width / 8);
            if let Some(place) = bytes.get_mut(bits.bytes()).filter(|p| p.len() == random.len()) {
                place.copy_from_slice(&random);
            }
            return;
        }
        let leads = matches!(field.compute, Some(Compute::NextHeader(_)));
        let value = match self.dice.below(6) {
            0 => field.default,
            // What it leads to is chosen elsewhere.
            _ if leads => self.wide(field.bits.width),
            // Another version of a network header is another header; a port of no protocol leads to none.
            _ if field.key.ends_with("version") => field.default,
            _ if field.key.ends_with("port") => 40_000 + u128::from(self.dice.number(9_999)),
            1..=3 if !field.names.is_empty() => {
                let named = u128::from(field.names[self.dice.below(field.names.len())].0);
                field.stored(named)
            }
            _ => self.wide(field.bits.width),
        };
        put(bytes, bits, value.min(bits::max_value(bits.width)));
    }

    fn wide(&mut self, width: usize) -> u128 {
        let max = bits::max_value(width);
        match u64::try_from(max) {
            Ok(max) => u128::from(self.dice.number(max)),
            Err(_) => {
                (u128::from(self.dice.number(u64::MAX)) << 64 | u128::from(self.dice.number(u64::MAX))) & max
            }
        }
    }

    fn raw(&mut self, kind: Kind, count: usize) -> Vec<u8> {
        let mut bytes = self.dice.bytes(count);
        // Other bytes tshark replaces, where rawbench tells which they are.
        if kind == Kind::Text {
            bytes.iter_mut().for_each(|b| *b = b'a' + *b % 26);
        }
        bytes
    }

    /// Random items of a list in `owner`, which gets the counts of those that it counts.
    fn items(&mut self, list: &'static ItemList, owner: &mut [u8], limit: usize, depth: usize) -> Vec<u8> {
        let mut all = Vec::new();
        if depth > 3 {
            return all;
        }
        if list.is_bare() {
            for item in list.items {
                let count = self.dice.below(4);
                if item.count.is_none() && !item.when.is_empty() && !self.dice.one_in(2) {
                    continue;
                }
                let mut made = 0;
                for _ in 0..if item.length == 0 { 1 } else { count } {
                    let one = self.item(list, item, depth);
                    made += if item.length == 0 { one.len().div_ceil(list.unit) } else { 1 };
                    all.extend(one);
                }
                if item.length == 0 {
                    all.resize(all.len().next_multiple_of(list.unit), 0);
                }
                if let Some(by) = item.count
                    && !self.wrong()
                {
                    put(owner, by.bits, (made as u128).saturating_sub(item.uncounted as u128));
                }
            }
            return all;
        }
        for _ in 0..self.dice.below(6) {
            let known = !list.items.is_empty() && !self.dice.one_in(8);
            let item = if known { &list.items[self.dice.below(list.items.len())] } else { list.unknown };
            if is_listed(list.key, item.key) {
                continue;
            }
            let one = self.item(list, item, depth);
            if all.len() + one.len() > limit {
                break;
            }
            all.extend(one);
            if item.ends {
                break;
            }
        }
        all
    }

    fn item(&mut self, list: &'static ItemList, item: &'static Item, depth: usize) -> Vec<u8> {
        let mut bytes = vec![0; item.fixed_bytes().max(if item.single { 1 } else { 0 })];
        for field in item.fields.iter().filter(|f| !f.group && f.bits.width > 0) {
            if field.is_in(&bytes) {
                self.fill(&mut bytes, field, field.bits);
            }
        }
        for when in item.when {
            if let Some(one) = self.holding(when) {
                bytes = force(bytes, &[one]);
            }
        }
        if !item.bare {
            bytes.resize(bytes.len().max(if item.single { 1 } else { list.head.bytes }), 0);
            while item.kind.is_none() && list.items.iter().any(|i| i.kind == list.kind_of(&bytes)) {
                let kind = self.wide(list.head.kind.width);
                put(&mut bytes, list.head.kind, kind);
            }
            if let Some(kind) = item.kind {
                put(&mut bytes, list.head.kind, u128::from(kind));
            }
        }
        if item.single {
            return bytes;
        }
        if let Some(field) = item.fields.iter().find(|f| f.bits.width == 0 && f.is_in(&bytes)) {
            let count = self.dice.below(12);
            let open = self.raw(field.kind, count);
            bytes.truncate(field.bits.start / 8);
            bytes.extend(open);
        }
        if item.repeat_bytes() > 0 {
            for _ in 0..self.dice.below(4) {
                let at = bytes.len();
                bytes.resize(at + item.repeat_bytes(), 0);
                for field in item.repeat.iter().filter(|f| !f.group) {
                    let place = BitRange { start: at * 8 + field.bits.start, width: field.bits.width };
                    self.fill(&mut bytes, field, place);
                }
            }
        }
        if let Some(inner) = item.inner {
            let items = self.items(inner, &mut bytes, 60, depth + 1);
            bytes.extend(items);
        }
        if item.length > 0 {
            bytes.resize(item.length, 0);
        }
        // Its length is always right: what tshark shows of an option that has another is not the same for any two of them.
        let mut bytes = list.sized(bytes).unwrap_or_default();
        bytes.resize(bytes.len().next_multiple_of(list.step), 0);
        bytes
    }

    /// Sets the lengths of headers with what they carry.
    fn lengths(&mut self) {
        let total = self.bytes.len();
        for at in 0..self.layers.len() {
            let (header, start, len) = self.layers[at];
            let mut says = Vec::new();
            if let Some(extent) = header.extent {
                says.push((
                    extent.by,
                    (total - start).saturating_sub(extent.beyond) / extent.by.scale as usize,
                ));
            }
            for field in header.fields {
                let value = match field.compute {
                    Some(Compute::TotalLength) => total - start,
                    Some(Compute::PayloadLength) => total - start - len,
                    _ => continue,
                };
                if header.extent.is_none_or(|e| e.by.bits != field.bits) {
                    says.push((field, value / field.scale as usize));
                }
            }
            for (field, value) in says {
                let bits = BitRange { start: start * 8 + field.bits.start, width: field.bits.width };
                // One that is too short cuts what is inside somewhere, as the tests of cut packets do.
                let more = if self.wrong() { self.dice.below(100) } else { 0 };
                if field.is_in(&self.bytes[start..]) {
                    put(&mut self.bytes, bits, field.stored((value + more) as u128));
                }
            }
        }
    }
}

/// Whether something in the packet cannot be read as its tables say.
pub fn is_sound(found: &Dissection, bytes: &[u8]) -> bool {
    let items = |i| found.view(bytes, i).items();
    found.stop.is_none() && (0..found.layers.len()).all(|i| items(i).iter().all(|s| s.problem.is_none()))
}

#[derive(Clone)]
struct Child {
    header: &'static Header,
    says: Forced,
    asks: Forced,
}

fn force(mut bytes: Vec<u8>, says: &[(BitRange, u128)]) -> Vec<u8> {
    for (range, value) in says {
        bytes.resize(bytes.len().max(range.end().div_ceil(8)), 0);
        put(&mut bytes, *range, *value);
    }
    bytes
}

fn made_true(when: &When) -> (BitRange, u128) {
    let value = if when.not { (0..).find(|v| !when.is.contains(v)).unwrap_or(0) } else { when.is[0] };
    (when.field.bits, u128::from(value))
}

/// What makes a header of several with one number this one.
fn only(header: &Header) -> Forced {
    header.only_when.iter().map(made_true).collect()
}

/// The conditions that the fields of a header decide.
fn deciding(header: &'static Header) -> Vec<When> {
    let cases = match header.length {
        Length::Cases { cases, .. } | Length::CountedIn { cases, .. } => cases,
        _ => &[],
    };
    let fields = header.fields.iter().filter_map(|f| f.when);
    let lists = header.lists().filter_map(|l| l.when);
    let next = header.next.iter().filter_map(|n| n.when);
    fields.chain(cases.iter().map(|c| c.0)).chain(lists).chain(next).collect()
}

/// Link types that begin with a header.
fn starts(header: &Header) -> Vec<u32> {
    let mut all: Vec<u32> = Vec::new();
    for (space, number) in header.found_by {
        match space {
            Space::LinkType => all.push(*number),
            Space::IpVersion => all.push(RAW),
            _ => {}
        }
    }
    all
}

/// What may follow a header and tshark reads so.
fn children(parent: &'static Header) -> &'static [Child] {
    &FOLLOWING[parent.key]
}

static FOLLOWING: LazyLock<BTreeMap<&'static str, Vec<Child>>> = LazyLock::new(|| {
    let read = |p: &'static Header| children_of(p).into_iter().filter(|c| !is_apart(p, c.header)).collect();
    protocols::ALL.iter().map(|p| (p.key, read(p))).collect()
});

static PRECEDING: LazyLock<BTreeMap<&'static str, Vec<Parent>>> = LazyLock::new(|| {
    let all = protocols::ALL.iter().copied().filter(|p| p.next.iter().all(|n| !n.quoted));
    let mut parents: BTreeMap<&'static str, Vec<Parent>> = BTreeMap::new();
    for (header, child) in all.flat_map(|p| children(p).iter().map(move |c| (p, c))) {
        let parent = Parent { header, says: child.says.clone(), asks: child.asks.clone() };
        parents.entry(child.header.key).or_default().push(parent);
    }
    parents
});

static DEPTHS: LazyLock<BTreeMap<&'static str, usize>> =
    LazyLock::new(|| protocols::ALL.iter().map(|h| (h.key, depth_of(h))).collect());

/// The fewest headers before this one.
fn depth(header: &Header) -> usize {
    DEPTHS[header.key]
}

fn children_of(parent: &'static Header) -> Vec<Child> {
    let mut all = Vec::new();
    if parent.items.is_some_and(|l| l.fills == Fills::Message && l.when.is_none()) {
        return all;
    }
    for rule in parent.next {
        let when: Forced = rule.when.iter().map(made_true).collect();
        for header in protocols::ALL.iter().copied() {
            for (space, number) in header.found_by {
                let by = match rule.to {
                    To::Selected { by, space: s } | To::Either { by: [_, by], space: s } if s == *space => {
                        Some(by)
                    }
                    To::Always(s, n) if s == *space && n == *number => None,
                    To::Version if *space == Space::IpVersion => None,
                    _ => continue,
                };
                let says = by.map(|f| (f.bits, u128::from(*number)));
                let says = [when.clone(), says.into_iter().collect()].concat();
                all.push(Child { header, says, asks: Vec::new() });
            }
        }
    }
    all
}

/// Everything that may stand before a header.
fn parents(header: &Header) -> &'static [Parent] {
    PRECEDING.get(header.key).map_or(&[], Vec::as_slice)
}

fn depth_of(header: &'static Header) -> usize {
    const MOST: usize = 5;
    let mut reached = vec![header];
    for depth in 0..MOST {
        if reached.iter().any(|h| !starts(h).is_empty()) {
            return depth;
        }
        reached = reached.into_iter().flat_map(|h| parents(h).iter().map(|p| p.header)).collect();
        reached.sort_by_key(|h| h.key);
        reached.dedup_by_key(|h| h.key);
    }
    MOST
}

/// Sets what fits.
fn put(bytes: &mut [u8], range: BitRange, value: u128) {
    let _ = bits::set(bytes, range, value);
}
