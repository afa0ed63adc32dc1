//! Fields of a draft that vary from packet to packet: its bytes are those of the first one.

use super::draft::Draft;
use super::stream::{Generator, Place, Stream};
use crate::wire::bits;
use crate::wire::notation;
use crate::wire::table::Kind;
use crate::wire::value::{self, Refused};
use crate::wire::view::Path;

impl Draft {
    /// What varies, in the order in which it was said.
    #[must_use]
    pub fn varying(&self) -> &[(Place, Generator)] {
        &self.varying
    }

    /// How a field varies, if it does.
    #[must_use]
    pub fn generator_of(&self, path: Path) -> Option<&Generator> {
        self.varying.iter().find(|(place, _)| place.is_field(path)).map(|(_, generator)| generator)
    }

    /// Has a field vary as a text says, in the unit `scale`: `random`, `random(1024..65535)`, `fuzz`, `1..254`,
    /// `0..100 step 10`, `[80, 443]`. `false`: the text is a value, or nothing of this kind.
    ///
    /// # Errors
    /// A range that is none, or does not fit the field. Nothing is changed then.
    pub fn vary_text(&mut self, path: Path, scale: u32, text: &str) -> Result<bool, Refused> {
        let found = self.locate(path).ok_or_else(|| Refused("the packet has no such field now".into()))?;
        // Bytes of options and texts are what they look like.
        if found.field.kind == Kind::Text || path.item.is_some() && found.field.kind.is_bytes() {
            return Ok(false);
        }
        let table = match path.item {
            None => self.layers[path.layer].header.fields,
            Some(item) => self.options(path.layer).get(item).map_or(&[][..], |span| span.item.fields),
        };
        let Some(generator) = Generator::from_text(table, found.field, scale, text)? else {
            return Ok(false);
        };
        let most = bits::max_value(found.bits.width);
        if !found.field.kind.is_bytes() && generator.most() > most {
            let range = value::range_text(found.field, scale);
            return Err(Refused(format!("{} must be {range}", found.field.label)));
        }
        self.hold(path);
        self.varying.push((Place::Field(path, found.field), generator));
        Ok(true)
    }

    /// Has a field, and each that shares bits with it, vary no more.
    pub fn hold(&mut self, path: Path) {
        let Some(found) = self.locate(path) else { return };
        let mut all = std::mem::take(&mut self.varying);
        all.retain(|(place, _)| match place {
            Place::Field(other, _) if other.layer == path.layer => self.locate(*other).is_some_and(|other| {
                other.bits.end() <= found.bits.start || found.bits.end() <= other.bits.start
            }),
            _ => true,
        });
        self.varying = all;
    }

    /// The options of a layer are others now: what varied in them does no more.
    pub(super) fn hold_options(&mut self, layer: usize) {
        self.varying.retain(
            |(place, _)| !matches!(place, Place::Field(p, _) if p.layer == layer && p.item.is_some()),
        );
    }

    /// The payload is another one now.
    pub(super) fn hold_payload(&mut self) {
        self.varying.retain(|(place, _)| matches!(place, Place::Field(..)));
    }

    /// Has what varies follow the layers.
    pub(super) fn shift_varying(&mut self, to: impl Fn(usize) -> Option<usize>) {
        self.varying.retain_mut(|(place, _)| match place {
            Place::Field(path, _) => match to(path.layer) {
                Some(layer) => {
                    path.layer = layer;
                    true
                }
                None => false,
            },
            Place::Payload(..) => true,
        });
    }

    /// The first packet of the stream with this seed, and what varies with it.
    #[must_use]
    pub fn first_of(&self, seed: u64) -> Self {
        match self.varying.is_empty() {
            true => self.clone(),
            false => Stream::of(self.clone()).seeded(seed).packet(0),
        }
    }

    /// The payload as notation, the random parts of it as what they are.
    pub(super) fn payload_notation(&self) -> String {
        let payload = self.payload();
        let mut random: Vec<(usize, usize)> = self.varying.iter().filter_map(|(p, _)| p.payload()).collect();
        random.sort_unstable();
        let (mut parts, mut at) = (Vec::new(), 0);
        for (start, len) in random {
            let Some(before) = payload.get(at..start) else { continue };
            if !before.is_empty() {
                parts.push(notation::payload_text(before));
            }
            parts.push(format!("random({len})"));
            at = start + len;
        }
        let rest = payload.get(at..).unwrap_or_default();
        if !rest.is_empty() || parts.is_empty() {
            parts.push(notation::payload_text(rest));
        }
        parts.join("/")
    }
}

impl Stream {
    /// The stream that a draft with varying fields stands for.
    #[must_use]
    pub fn of(draft: Draft) -> Self {
        let varying = draft.varying.clone();
        Self::new(draft, varying)
    }

    /// The draft that stands for the stream: its first packet, and what varies.
    #[must_use]
    pub fn into_draft(self) -> Draft {
        let mut draft = self.packet(0);
        draft.varying = self.varying().iter().map(|v| (v.place, v.generator.clone())).collect();
        draft
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::craft::build::Sources;

    struct None;

    impl Sources for None {
        fn random(&mut self, count: usize) -> Vec<u8> {
            vec![0; count]
        }
        fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
            Err(path.into())
        }
    }

    fn draft(text: &str) -> Draft {
        Stream::from_notation(text, &mut None).unwrap().into_draft()
    }

    #[test]
    fn what_varies_is_printed_and_reads_back() {
        for text in [
            "ip(dst=10.0.0.1..10.0.0.9)/tcp(srcport=random(1024..65535), dstport=[80, 443, 8000..8010], seq=random)",
            "ip(dst=10.0.0.1, ttl=30..1 step 2)/udp(dstport=fuzz)/\"abc\"/random(8)",
            "eth(dst=02:00:00:00:00:01, src=random)/ip(dst=10.0.0.1, checksum=random)",
            "ip(dst=10.0.0.1)/tcp(flags=random, dstport=1)",
        ] {
            let first = draft(text);
            let printed = first.notation(crate::craft::print::Detail::Short);
            let again = draft(&printed);
            assert_eq!(first, again, "{text} as {printed}");
            assert!(!first.varying().is_empty());
        }
    }

    #[test]
    fn what_varies_follows_its_layer_and_goes_with_it() {
        let mut draft = draft("ip(dst=10.0.0.1, ttl=1..3)/udp(dstport=random)");
        let eth = crate::wire::protocols::by_key("eth").unwrap();
        draft.insert_layer(0, eth).unwrap();
        let ttl = draft.find("ip", "ttl").unwrap();
        assert_eq!(ttl.layer, 1);
        assert!(draft.generator_of(ttl).is_some());
        draft.remove_layer(2);
        assert_eq!(draft.varying().len(), 1);
        draft.hold(ttl);
        assert!(draft.varying().is_empty());
    }
}
