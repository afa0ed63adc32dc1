//! The colours of rows: rules with filters, of which the first that a packet passes holds.

use std::sync::Arc;

use super::settings::{ColourRule, Hue};
use crate::filter::{Filter, Packet};

/// A rule that was read.
#[derive(Clone, Debug)]
struct Read {
    text: String,
    /// Its filter, or what is wrong with it.
    filter: Arc<Result<Filter, String>>,
    on: bool,
}

/// Rules that were read.
#[derive(Debug, Default)]
pub struct Painter {
    rules: Vec<Read>,
}

impl Painter {
    /// Reads the filters of rules; those that stood in `before` are read already.
    #[must_use]
    pub fn new(rules: &[ColourRule], before: &Self) -> Self {
        let read = |rule: &ColourRule| {
            let known = before.rules.iter().find(|read| read.text == rule.filter);
            let filter =
                known.map_or_else(|| Arc::new(read(&rule.filter)), |known| Arc::clone(&known.filter));
            Read { text: rule.filter.clone(), filter, on: rule.on }
        };
        Self { rules: rules.iter().map(read).collect() }
    }

    /// The first rule that a packet passes.
    #[must_use]
    pub fn rule_of(&self, packet: &Packet<'_>) -> Option<usize> {
        let passes = |rule: &Read| match rule.filter.as_ref() {
            Ok(filter) if rule.on => filter.suits(packet.facts.link_type).is_ok() && filter.matches(packet),
            _ => false,
        };
        self.rules.iter().position(passes)
    }

    /// Whether a rule that is on needs what is known from the packets before.
    #[must_use]
    pub fn needs_flows(&self) -> bool {
        let needs = |filter: &Filter| filter.needs().flows();
        self.rules.iter().any(|rule| rule.on && rule.filter.as_ref().as_ref().is_ok_and(needs))
    }

    /// What is wrong with a rule that is on.
    #[must_use]
    pub fn problem(&self, rule: usize) -> Option<&str> {
        let rule = self.rules.get(rule).filter(|rule| rule.on)?;
        rule.filter.as_ref().as_ref().err().map(String::as_str)
    }
}

fn read(text: &str) -> Result<Filter, String> {
    if text.trim().is_empty() {
        return Err("a rule needs a filter".into());
    }
    Filter::display(text).map_err(|error| error.render(text))
}

/// The rules of a list that nobody changed.
#[must_use]
pub fn default_rules() -> Vec<ColourRule> {
    const BAD: &str = "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || \
                       icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || sctp.checksum.status == 0";
    let rule = |name: &str, filter: &str, ground, strong, text| ColourRule {
        name: name.into(),
        filter: filter.into(),
        ground,
        strong,
        text,
        on: true,
    };
    vec![
        rule("Bad checksum", BAD, Hue::Plain, false, Hue::Red),
        rule("TCP reset", "tcp.flags.reset == 1", Hue::Red, true, Hue::Plain),
        rule("SCTP abort", "sctp.chunk_type == 6", Hue::Red, true, Hue::Plain),
        rule(
            "ICMP error",
            "icmp.type in {3, 4, 5, 11, 12} || icmpv6.type in {1..4}",
            Hue::Purple,
            true,
            Hue::Plain,
        ),
        rule("TTL nearly used up", "ip.ttl < 5 && !(ip.dst == 224.0.0.0/4)", Hue::Orange, true, Hue::Plain),
        rule("TCP SYN, FIN", "tcp.flags.syn == 1 || tcp.flags.fin == 1", Hue::Blue, false, Hue::Plain),
        rule("ARP", "arp", Hue::Yellow, false, Hue::Plain),
        rule("ICMP", "icmp || icmpv6", Hue::Purple, false, Hue::Plain),
        rule("Broadcast, multicast", "eth.dst[0] & 1", Hue::Grey, false, Hue::Grey),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Facts;
    use crate::wire::dissect::dissect;

    #[test]
    fn the_default_rules_can_be_read() {
        let rules = default_rules();
        let painter = Painter::new(&rules, &Painter::default());
        for (index, rule) in rules.iter().enumerate() {
            assert_eq!(painter.problem(index), None, "{}", rule.name);
        }
    }

    #[test]
    fn the_first_rule_that_is_on_and_passes_holds() {
        let arp = [&[0xff; 12][..], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &[0; 20]].concat();
        let found = dissect(1, &arp);
        let packet = Packet {
            bytes: &arp,
            found: &found,
            facts: Facts { link_type: 1, ..Facts::default() },
            flows: &[],
        };
        let mut rules = default_rules();
        let name = |rules: &[ColourRule]| {
            Painter::new(rules, &Painter::default()).rule_of(&packet).map(|rule| rules[rule].name.clone())
        };
        assert_eq!(name(&rules).as_deref(), Some("ARP"));
        let arp_rule = rules.iter().position(|r| r.name == "ARP").unwrap();
        rules[arp_rule].on = false;
        assert_eq!(name(&rules).as_deref(), Some("Broadcast, multicast"));
        rules[0].filter = "arp".into();
        assert_eq!(name(&rules).as_deref(), Some("Bad checksum"));
        rules[0].filter = "arp &&".into();
        assert!(Painter::new(&rules, &Painter::default()).problem(0).unwrap().contains('^'));
        rules[0].filter = " ".into();
        assert!(Painter::new(&rules, &Painter::default()).problem(0).is_some());
    }
}
