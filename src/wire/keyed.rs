//! What stands under a key where Wireshark's habits say more than the table: fields of options, and what it leaves out.

use super::bits::BitRange;
use super::items::{self, ItemSpan};
use super::protocols;
use super::table::{Field, Header, Shown};
use super::view::LayerView;

/// A value of a key among the options of a header.
#[derive(Clone, Debug)]
pub enum ItemValue<'a> {
    /// A field and its bits in the packet.
    Stored(&'static Field, BitRange),
    /// A number that stands nowhere: a kind that is repeated in what fills a list up.
    Number(u64),
    /// Bytes of the packet.
    Bytes(&'a [u8]),
    /// A word of Wireshark's.
    Word(&'static str),
    /// A text that stands nowhere as it is.
    Text(String),
}

/// Whether options of the header have a field of this key.
#[must_use]
pub fn has_item_field(header: &'static Header, key: &str) -> bool {
    let lists = header.lists().flat_map(|list| list.with_inner());
    lists.flat_map(|l| l.items.iter().chain([l.unknown])).any(|i| i.fields.iter().any(|f| f.key == key))
}

/// Every value of a key among the options, in the order of the bytes.
pub fn item_values<'a>(view: &LayerView<'a>, key: &str, mut found: impl FnMut(ItemValue<'a>)) {
    for span in view.all_items() {
        // After the end of the list Wireshark goes on as long as zeros follow.
        let rest = view.bytes.get(span.range.clone()).unwrap_or_default();
        if span.item.ends && key == "option.type" {
            // Wireshark's number for the end option of DHCP.
            found(ItemValue::Number(0));
        }
        if std::ptr::eq(span.item, &items::PADDING) && span.list.filler.is_none() {
            if key == "option_kind" {
                rest.iter().take_while(|&&b| b == 0).for_each(|_| found(ItemValue::Number(0)));
            }
            continue;
        }
        let span = cut_option(view, &span).unwrap_or(span);
        if key == "option.value" && !span.item.single {
            // What an option of DHCP holds, once more as bytes.
            found(ItemValue::Bytes(rest.get(2..).unwrap_or_default()));
            continue;
        }
        // Wireshark's word for bytes of which there are none, which it says only here.
        if key == "opt.padn" && span.range.len() == 2 && span.item.fields.iter().any(|f| f.key == key) {
            found(ItemValue::Word("<none>"));
        }
        let fields = span.fields(view.bytes).into_iter().filter(|(_, _, f, _)| f.key == key);
        for (_, _, field, bits) in fields {
            let Some(parts) = field.parts else {
                found(ItemValue::Stored(field, bits));
                continue;
            };
            let bytes = view.bytes.get(bits.bytes()).unwrap_or_default();
            for part in parts(bytes) {
                found(match part.text {
                    Some(text) => ItemValue::Text(text),
                    None => ItemValue::Bytes(bytes.get(part.range).unwrap_or_default()),
                });
            }
        }
    }
}

/// The option that is longer than its list, as its kind: the fields that are wholly there still speak.
fn cut_option(view: &LayerView<'_>, span: &ItemSpan) -> Option<ItemSpan> {
    if !std::ptr::eq(span.item, &items::MALFORMED) {
        return None;
    }
    let rest = view.bytes.get(span.range.clone()).unwrap_or_default();
    let kind = span.list.kind_of(rest);
    let known = || span.list.items.iter().filter(|i| i.kind == kind && i.holds(rest));
    // Of several tables the one whose length the option says.
    let said = span.list.said_len(rest);
    let item =
        known().find(|i| Some(i.length) == said).or(known().find(|i| i.length == 0)).or(known().next());
    let item = item.unwrap_or(span.list.unknown);
    Some(ItemSpan { item, problem: None, ..span.clone() })
}

/// Whether Wireshark leaves out a field that stands in the header with this stored value.
#[must_use]
pub fn is_left_out(view: &LayerView<'_>, field: &Field, stored: Option<u128>) -> bool {
    let layer = view.layer();
    let unset = stored == Some(0);
    match field.shown {
        Shown::UnlessZero => return unset,
        Shown::WhileRouted => return !view.is_routed(),
        Shown::UnlessItems => return view.holds_items(field),
        Shown::If(when) => return !when.holds(view.header_bytes()),
        Shown::IfOrSet(when) => return unset && !when.holds(view.header_bytes()),
        _ => {}
    }
    // Within a packet that ICMP quotes there is only the key without "raw"; not so with ICMPv6.
    (layer.header.key, field.key) == ("tcp", "seq_raw")
        && layer.quoted
        && view.layers.iter().any(|l| l.header.key == "icmp")
}

/// Bytes behind a header as the packet had them on the wire: what a short capture cut (`cut` bytes) counts, what a length
/// field only claims does not.
#[must_use]
pub fn payload_len(view: &LayerView<'_>, cut: usize) -> Option<usize> {
    // How long the whole is stands in the last of several fragments.
    let more = |index| LayerView { index, ..*view }.is_set("flags.mf");
    if (0..view.index).any(more) {
        return None;
    }
    let layer = view.layer();
    let header = usize::try_from(view.number("hdr_len")?).ok()?;
    let here = layer.end - layer.start;
    (here + layer.declared.saturating_sub(here).min(cut)).checked_sub(header)
}

/// Whether [`is_left_out`] may say yes to a field with this key: to ask it for each packet only where it matters.
#[must_use]
pub fn may_be_left_out(key: &str) -> bool {
    let sometimes = |f: &Field| {
        matches!(
            f.shown,
            Shown::UnlessZero | Shown::WhileRouted | Shown::UnlessItems | Shown::If(_) | Shown::IfOrSet(_)
        )
    };
    let fields = protocols::ALL.iter().flat_map(|h| h.fields);
    key == "seq_raw" || fields.filter(|f| f.key == key).any(sometimes)
}

/// Whether Wireshark has a field of several bits as a flag: set when any bit is.
#[must_use]
pub fn is_one_flag(header: &Header, key: &str) -> bool {
    header.fields.iter().any(|f| f.key == key && matches!(f.shown, Shown::AnyBit))
}
