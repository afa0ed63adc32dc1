//! Completion of filters: what is offered at a place, in which order, and that what is offered can be read.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail this way")]

use proptest::prelude::*;
use rawbench::filter::Filter;
use rawbench::filter::complete::{Completion, Kind, MOST, Words, complete};

/// What is offered at the bar in the text.
fn at(text: &str, words: Words) -> Completion {
    let place = text.find('│').expect("a text has its place marked");
    complete(&text.replace('│', ""), place, words)
}

fn display(text: &str) -> Vec<String> {
    at(text, Words::Display).candidates.into_iter().map(|c| c.text).collect()
}

fn capture(text: &str) -> Vec<String> {
    at(text, Words::Capture).candidates.into_iter().map(|c| c.text).collect()
}

#[test]
fn the_best_comes_first() {
    for (text, first) in [
        ("tcp│", ["tcp", "tcp.srcport"]),
        ("tcp.d│", ["tcp.dstport", "tcp.d"]),
        ("ip.sr│", ["ip.src", "ip.src"]),
        // A part that begins so is before one that only has it.
        ("srcport│", ["tcp.srcport", "udp.srcport"]),
        ("(ip.ttl == 64 || !udp.l│", ["udp.length", "udp.l"]),
    ] {
        let found = display(text);
        assert_eq!(found.first().map(String::as_str), Some(first[0]), "{text}: {found:?}");
        assert!(found.iter().any(|f| f.starts_with(first[1])), "{text}: {found:?}");
    }
    // A label says it.
    assert!(display("live│").contains(&"ip.ttl".to_owned()), "{:?}", display("live│"));
    // What is near is offered where nothing fits.
    assert!(display("tcp.dstprt│").contains(&"tcp.dstport".to_owned()));
    assert!(display("tcp.dtsport│").contains(&"tcp.dstport".to_owned()));
    assert!(display("zzzzzzzz│").is_empty());
}

#[test]
fn what_comes_next_follows_from_the_words_before() {
    let labels = |text: &str, words| -> Vec<(Kind, String)> {
        at(text, words).candidates.into_iter().map(|c| (c.kind, c.label)).collect()
    };
    assert_eq!(display("ip.ttl │")[..3], ["==", "!=", ">"]);
    assert_eq!(display("tcp.flags.syn │")[..2], ["==", "!="]);
    assert!(!display("tcp.flags.syn │").contains(&">".to_owned()));
    assert!(display("dns.qry.name │").contains(&"contains".to_owned()));
    assert_eq!(display("tcp │")[..2], ["&&", "||"]);
    assert_eq!(display("tcp.flags.syn == │"), ["1", "0"]);
    // Values by number, found by name.
    assert!(display("ip.proto == │").len() > 5);
    assert_eq!(display("ip.proto == ud│")[0], "17");
    assert_eq!(labels("ip.proto == tcp│", Words::Display)[0].0, Kind::Value);
    assert_eq!(display("ip.proto in {1, ud│")[0], "17");
    assert_eq!(display("ip.ttl == 64 │")[..2], ["&&", "||"]);
    assert_eq!(display("tcp && ud│")[0], "udp");
    // Values that are nobody's to guess.
    for text in ["ip.src == │", "frame contains \"tc│", "frame contains │", "host │", "ip.ttl == 64│"]
    {
        assert!(display(text).is_empty(), "{text}: {:?}", display(text));
    }
    assert!(at("ip.ttl │", Words::Display).awaited && !at("│", Words::Display).awaited);
}

#[test]
fn tcpdumps_words_are_known_in_both_boxes() {
    assert_eq!(capture("po│")[..2], ["port", "portrange"]);
    assert_eq!(capture("host 10.0.0.1 and tc│")[0], "tcp");
    assert_eq!(capture("tcp │")[0], "port");
    assert!(capture("tcp port htt│").starts_with(&["http".into(), "https".into()]));
    assert_eq!(capture("ether │")[0], "host");
    assert_eq!(capture("src po│")[0], "port");
    assert_eq!(capture("ip proto \\tc│")[0], "\\tcp");
    assert_eq!(capture("ip proto tc│")[0], "\\tcp");
    assert_eq!(capture("tcp[tcpf│")[0], "tcpflags");
    assert!(capture("tcp[tcpflags] & tcp-s│").contains(&"tcp-syn".to_owned()));
    // Behind a word of tcpdump's, in the display filter too.
    assert_eq!(display("host 10.0.0.1 and src │")[0], "host");
    assert!(display("hos│").contains(&"host".to_owned()));
}

#[test]
fn a_candidate_replaces_the_whole_word() {
    let applied = |text: &str, pick: &str| {
        let place = text.find('│').unwrap();
        let plain = text.replace('│', "");
        let completion = complete(&plain, place, Words::Display);
        let candidate = completion.candidates.iter().find(|c| c.text == pick).expect(pick);
        let (mut text, at) = completion.applied(&plain, candidate);
        text.insert(at, '│');
        text
    };
    assert_eq!(applied("tcp.ds│", "tcp.dstport"), "tcp.dstport │");
    assert_eq!(applied("!(tcp.ds│tprt == 1)", "tcp.dstport"), "!(tcp.dstport │== 1)");
    assert_eq!(applied("ip.proto == ud│ && tcp", "17"), "ip.proto == 17│ && tcp");
    assert_eq!(applied("cou│", "count("), "count(│");
}

#[test]
fn what_is_offered_can_be_read() {
    for words in [Words::Display, Words::Capture] {
        let mut seen = 0;
        for letter in 'a'..='z' {
            let all = complete(&letter.to_string(), 1, words).candidates;
            assert!(all.len() <= MOST);
            for candidate in all.iter().filter(|c| matches!(c.kind, Kind::Key | Kind::Protocol)) {
                seen += 1;
                assert!(Filter::display(&candidate.text).is_ok(), "{}", candidate.text);
                assert!(!candidate.detail().is_empty() && !candidate.label.is_empty(), "{}", candidate.text);
            }
        }
        assert!(seen > 400, "{seen}");
    }
    for (before, words) in [
        ("port ", Words::Capture),
        ("ip proto ", Words::Capture),
        ("ether proto ", Words::Capture),
        ("ip.proto == ", Words::Display),
        ("arp.opcode == ", Words::Display),
        ("tcp.flags.syn == ", Words::Display),
    ] {
        let all = complete(before, before.len(), words).candidates;
        assert!(!all.is_empty(), "{before}");
        for candidate in all {
            let text = format!("{before}{}", candidate.text);
            assert!(Filter::capture(&text).is_ok(), "{text}");
        }
    }
    for candidate in complete("tcp[tcpflags] & ", 16, Words::Capture).candidates {
        let text = format!("tcp[tcpflags] & {} != 0", candidate.text);
        assert!(Filter::capture(&text).is_ok(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_and_no_place_is_too_much(text in ".{0,60}", place in 0..70usize) {
        for words in [Words::Display, Words::Capture] {
            let found = complete(&text, place, words);
            prop_assert!(found.candidates.is_empty() || text.get(found.replaces.clone()).is_some());
            for candidate in found.candidates.iter().take(3) {
                let (new, at) = found.applied(&text, candidate);
                prop_assert!(new.is_char_boundary(at), "{new:?} {at}");
            }
        }
    }
}
