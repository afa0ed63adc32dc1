//! What answers a message: the part of the table language that says what changes in a header from a message to its answer.

use super::field::Field;
use super::table::{Family, Header};
use super::value;
use super::view::{Layer, LayerView};

/// What an answer has in its header, beside ends that change places.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Pairs of fields that change places: what the sender says of itself, and of the other end.
    pub swaps: &'static [(&'static Field, &'static Field)],
    /// The field that says what kind of message it is; `None`: there is one kind, which answers itself.
    pub kind: Option<&'static Field>,
    /// The kind of a message and that of its answer, as stored. A kind that is not listed is not answered.
    pub kinds: &'static [(u128, u128)],
    /// A field that goes on by one where the answer is of this kind: it asks again.
    pub counts: Option<(u128, &'static Field)>,
    /// The field of the answer that only the interface that sends it knows: its link-layer address.
    pub own: Option<&'static Field>,
    /// It carries what the message carried.
    pub echoes: bool,
}

impl Answer {
    /// What a table leaves out.
    pub const PLAIN: Self =
        Self { swaps: &[], kind: None, kinds: &[], counts: None, own: None, echoes: false };

    /// An answer is the message with its ports in the place of each other.
    #[must_use]
    pub const fn ports(swaps: &'static [(&'static Field, &'static Field)]) -> Self {
        Self { swaps, ..Self::PLAIN }
    }
}

/// The two ends of a packet: the addresses of its innermost network and, where it has one, the ports behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// What both directions have in common: the keys of the headers, the network's first.
    pub headers: Vec<&'static str>,
    /// Where it comes from.
    pub source: End,
    /// Where it goes to.
    pub destination: End,
}

/// One end of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its address, and its port where it has one, as they are written.
    pub texts: Vec<String>,
    /// What a filter calls them where this end sends.
    sends: Vec<String>,
    /// And where it receives.
    receives: Vec<String>,
}

impl End {
    /// The end as it is written: `10.77.0.1:40000`, `[fd77::1]:40000`, `10.77.0.1`.
    #[must_use]
    pub fn text(&self) -> String {
        match self.texts.as_slice() {
            [address, port] if address.contains(':') => format!("[{address}]:{port}"),
            texts => texts.join(":"),
        }
    }
}

impl Ends {
    /// The ends of a packet in these layers; `None` where it has no network layer. What another packet quotes is not asked.
    #[must_use]
    pub fn of(bytes: &[u8], layers: &[Layer]) -> Option<Self> {
        let own = layers.iter().take_while(|l| !l.quoted).count();
        let network = layers[..own].iter().rposition(|l| l.header.network)?;
        let mut found = Self {
            headers: vec![layers[network].header.key],
            source: End { texts: vec![], sends: vec![], receives: vec![] },
            destination: End { texts: vec![], sends: vec![], receives: vec![] },
        };
        found.add(&LayerView { bytes, layers, index: network }, layers[network].header.ends?)?;
        let behind = layers[..own].iter().skip(network + 1);
        let Some(upper) = behind.clone().position(|l| l.header.family != Family::Extension) else {
            return Some(found);
        };
        let view = LayerView { bytes, layers, index: network + 1 + upper };
        found.headers.push(view.layer().header.key);
        if let Family::Transport = view.layer().header.family
            && let Some(pair) = view.layer().header.answer.and_then(|a| a.swaps.first())
        {
            found.add(&view, *pair)?;
        }
        Some(found)
    }

    fn add(&mut self, view: &LayerView<'_>, (from, to): (&Field, &Field)) -> Option<()> {
        let header: &Header = view.layer().header;
        let key = |field: &Field| format!("{}.{}", header.prefix(), field.key);
        for (end, field) in [(&mut self.source, from), (&mut self.destination, to)] {
            let found = view.field(field.key)?;
            end.texts.push(value::text(found.field, view.bytes, found.bits));
            end.sends.push(key(from));
            end.receives.push(key(to));
        }
        Some(())
    }

    /// The ends of what comes back.
    #[must_use]
    pub fn turned(self) -> Self {
        Self { headers: self.headers, source: self.destination, destination: self.source }
    }

    /// The display filter that passes the packets between both ends, in both directions.
    #[must_use]
    pub fn filter(&self) -> String {
        let to = |from: &End, to: &End| {
            let sent = from.sends.iter().zip(&from.texts);
            let received = to.receives.iter().zip(&to.texts);
            let parts = sent.chain(received).map(|(key, text)| format!("{key} == {text}"));
            parts.collect::<Vec<_>>().join(" && ")
        };
        let there = to(&self.source, &self.destination);
        let back = to(&self.destination, &self.source);
        let protocol = self.headers.last().copied().unwrap_or_default();
        format!("{protocol} && (({there}) || ({back}))")
    }
}
