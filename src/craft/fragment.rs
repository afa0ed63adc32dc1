//! Cutting a packet into fragments: even ones as a router makes them, or any, also such as overlap or leave holes.

use std::ops::Range;

use super::draft::{Draft, Override};
use crate::wire::protocols;
use crate::wire::table::{Compute, Field, FragmentRule, Header};
use crate::wire::value::Refused;
use crate::wire::view::Path;

/// How a packet is cut, in bytes of what the network header carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pieces {
    /// Pieces of this size, the last one shorter.
    Of(usize),
    /// These, in this order; `None`: to the end.
    These(Vec<(usize, Option<usize>)>),
}

/// Most pieces of a packet: as many as it can have of the smallest size.
const MOST: usize = 8192;

impl Pieces {
    /// Reads `SIZE` or `FROM..TO,FROM..,…`.
    ///
    /// # Errors
    /// Says what it must be.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let wrong = || {
            Refused(format!(
                "'{text}' is no way to cut a packet: write the bytes of a piece, such as 1480, or the pieces themselves in the \
                 order in which they are sent, such as 24..48,0..24,40.. (they may overlap)"
            ))
        };
        let number = |text: &str| text.trim().parse::<usize>().ok().filter(|n| *n <= 0xffff);
        if let Some(size) = number(text) {
            return if size > 0 { Ok(Self::Of(size)) } else { Err(wrong()) };
        }
        let mut pieces = Vec::new();
        for piece in text.split(',') {
            let (from, to) = piece.split_once("..").ok_or_else(wrong)?;
            let from = number(from).ok_or_else(wrong)?;
            let to = match to.trim() {
                "" => None,
                to => Some(number(to).filter(|to| *to > from).ok_or_else(wrong)?),
            };
            pieces.push((from, to));
        }
        if pieces.len() > MOST { Err(wrong()) } else { Ok(Self::These(pieces)) }
    }

    /// The pieces of so many bytes whose places are counted in `unit` bytes.
    fn of(&self, len: usize, unit: usize) -> Result<Vec<Range<usize>>, Refused> {
        match self {
            Self::Of(size) => {
                let size = (size / unit * unit).max(unit);
                let starts = (0..len.max(1)).step_by(size);
                Ok(starts.map(|start| start..(start + size).min(len)).collect())
            }
            Self::These(pieces) => pieces
                .iter()
                .map(|(from, to)| {
                    let range = *from..to.unwrap_or(len);
                    if !from.is_multiple_of(unit) {
                        return Err(Refused(format!(
                            "a piece cannot begin at byte {from}: its header counts in {unit} bytes"
                        )));
                    }
                    if range.end > len || range.start >= range.end {
                        let to = to.map_or_else(String::new, |to| to.to_string());
                        return Err(Refused(format!(
                            "there is no piece {from}..{to}: the packet has {len} bytes to be cut"
                        )));
                    }
                    Ok(range)
                })
                .collect(),
        }
    }
}

impl Draft {
    /// Cuts the packet into fragments (RFC 791 section 3.2, RFC 8200 section 4.5; the latter gets its fragment header). The
    /// outermost network header that can is the one that is repeated. `id`: what they have in common where the packet says
    /// zero, so that the kernel gives none of them a number of its own. What stands behind the packet stays behind.
    ///
    /// # Errors
    /// There is nothing that could be cut; a piece that the packet does not have.
    pub fn fragments(&self, pieces: &Pieces, id: u32) -> Result<Vec<Self>, Refused> {
        let mut whole = self.clone();
        let (index, rule) = whole.fragment_layer()?;
        let layer = &whole.layers[index];
        let data = whole.bytes[layer.payload_range()].to_vec();
        let head = whole.bytes[..layer.start + layer.len].to_vec();
        pieces
            .of(data.len(), rule.unit)?
            .into_iter()
            .map(|piece| whole.fragment(index, rule, &head, &data, piece, id))
            .collect()
    }

    /// The layer that says where a piece belongs; put in where the network header leaves that to another one.
    fn fragment_layer(&mut self) -> Result<(usize, FragmentRule), Refused> {
        let nothing = || Refused("there is no network header that could be cut into fragments".into());
        let network = self.network_layer().ok_or_else(nothing)?;
        let transport = self.layers.iter().skip(network + 1).position(|l| l.header.network);
        let end = transport.map_or(self.layers.len(), |t| network + 1 + t);
        let own = (network..end).find_map(|i| Some((i, self.layers[i].header.fragment?)));
        if let Some(found) = own {
            return Ok(found);
        }
        let space = self.layers[network].header.fields.iter().find_map(|f| match f.compute {
            Some(Compute::NextHeader(space)) => Some(space),
            _ => None,
        });
        let space = space.ok_or_else(nothing)?;
        let is_one = |h: &&Header| !h.network && h.fragment.is_some() && h.number_in(space).is_some();
        let header = protocols::ALL.iter().copied().find(is_one).ok_or_else(nothing)?;
        let rule = header.fragment.ok_or_else(nothing)?;
        // Behind what every node on the way reads: a routing header, else hop-by-hop options, which have the number 0.
        let routes = |i: &usize| self.layers[*i].header.lists().any(|l| l.route.is_some());
        let hops = |i: &usize| self.layers[*i].header.number_in(space) == Some(0);
        let last = (network + 1..end).rev().find(routes).or_else(|| (network + 1..end).find(hops));
        let index = last.unwrap_or(network) + 1;
        self.insert_layer(index, header)?;
        Ok((index, rule))
    }

    fn fragment(
        &self,
        index: usize,
        rule: FragmentRule,
        head: &[u8],
        data: &[u8],
        piece: Range<usize>,
        id: u32,
    ) -> Result<Self, Refused> {
        let mut bytes = head.to_vec();
        bytes.extend_from_slice(data.get(piece.clone()).unwrap_or_default());
        let kept = |path: &Path| path.layer <= index;
        let mut draft = Self {
            payload: head.len()..bytes.len(),
            bytes,
            layers: self.layers[..=index].to_vec(),
            overrides: self.overrides.iter().filter(|(p, _)| kept(p)).map(|(p, o)| (*p, *o)).collect(),
            ended: self.ended.iter().copied().filter(|layer| *layer <= index).collect(),
            surroundings: self.surroundings,
            ..Self::default()
        };
        // What follows is no layer of a piece: the number of it stays.
        let header = draft.layers[index].header;
        for (field, _) in header.fields.iter().enumerate().filter(|(_, f)| is_next(f)) {
            draft.overrides.insert(Path::header(index, field), Override::Pinned);
        }
        draft.set_in(index, rule.offset, (piece.start / rule.unit) as u128)?;
        draft.set_in(index, rule.more, u128::from(piece.end < data.len()))?;
        if draft.stored_in(index, rule.id) == Some(0) {
            let most = crate::wire::bits::max_value(rule.id.bits.width);
            draft.set_in(index, rule.id, (u128::from(id) & most).max(1))?;
        }
        if piece.start > 0 {
            draft.drop_uncopied(index);
        }
        draft.recompute();
        Ok(draft)
    }

    fn set_in(&mut self, index: usize, field: &Field, stored: u128) -> Result<(), Refused> {
        let path = self.view(index).field(field.key).map(|f| f.path);
        self.set(path.ok_or_else(|| Refused(format!("{} is not there", field.label)))?, stored)
    }

    fn stored_in(&self, index: usize, field: &Field) -> Option<u128> {
        self.view(index).field(field.key)?.stored(&self.bytes)
    }

    /// Takes out the options that only the first piece has: those of IPv4 without the copied flag (RFC 791 section 3.1).
    fn drop_uncopied(&mut self, index: usize) {
        if self.layers[index].header.items.is_none() || !self.layers[index].header.network {
            return;
        }
        let copied = |d: &Self, item: usize| {
            let options = d.options(index);
            let first = options.get(item).and_then(|span| d.bytes.get(span.range.start));
            first.is_some_and(|kind| kind & 0x80 != 0)
        };
        for item in (0..self.options(index).len()).rev() {
            if !copied(self, item) {
                // One that cannot be taken out stays, as the user made it.
                let _ = self.remove_option(index, item);
            }
        }
    }
}

fn is_next(field: &Field) -> bool {
    matches!(field.compute, Some(Compute::NextHeader(_)))
}
