//! The rules of the rooms: who may import whom, how long a file may be, where `unsafe` may stand.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Lines of a file without its tests.
const MAX_LINES: usize = 500;

/// Each room and the rooms that it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("craft", &["wire"]),
    ("filter", &["wire"]),
    ("pcap", &["wire"]),
    ("net", &[]),
    ("engine", &["net", "pcap", "filter", "craft", "wire"]),
    ("app", &["engine", "pcap", "filter", "craft", "wire"]),
    ("ui", &["app", "engine", "pcap", "filter", "craft", "wire"]),
    ("cli", &["app", "engine", "net", "pcap", "filter", "craft", "wire"]),
];

/// Lines that a program may have: it calls into a room and does nothing else.
const MAX_PROGRAM_LINES: usize = 12;

/// The source without comments and the insides of texts: what the compiler sees of words.
fn words_only(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |i| i + 2)
        } else if let Some(hashes) = raw_text(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = hashes + 2;
            rest[open..].find(&close).map_or(rest.len(), |i| open + i + close.len())
        } else if c == '"' {
            text_end(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(rest.len(), |i| i + 2)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.extend(rest[..skip].chars().filter(|&c| c == '\n'));
        out.push(' ');
        rest = &rest[skip..];
    }
    out
}

/// The number of hashes when a raw text begins here.
fn raw_text(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// Length of the text that begins here, quotes included.
fn text_end(rest: &str) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return i + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The source up to its tests, which stand last in a file.
fn without_tests(source: &str) -> &str {
    source.find("\n#[cfg(test)]\nmod ").map_or(source, |at| &source[..at + 1])
}

/// The rooms that a source names after `crate::` or `rawbench::`, also in braces.
fn imported(code: &str) -> Vec<String> {
    let flat: String =
        code.split_whitespace().collect::<Vec<_>>().join(" ").replace(":: ", "::").replace(" ::", "::");
    let mut found = Vec::new();
    for root in ["crate::", "rawbench::"] {
        for (at, _) in flat.match_indices(root) {
            let before = flat[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest = flat[at + root.len()..].trim_start();
            match rest.strip_prefix('{') {
                Some(list) => found.extend(first_words_of_list(list)),
                None => found.push(first_word(rest)),
            }
        }
    }
    found
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first word of each member of a braced list whose opening brace is already passed.
fn first_words_of_list(list: &str) -> Vec<String> {
    let (mut depth, mut words, mut start) = (0usize, Vec::new(), true);
    for (i, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                words.push(first_word(&list[i..]));
                start = false;
            }
            _ => {}
        }
    }
    words
}

/// What is wrong with a source at this path below `src`.
fn violations(path: &str, source: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let own = without_tests(source);
    let lines = own.lines().count();
    let code = words_only(own);
    if lines > MAX_LINES {
        wrong.push(format!("{path}: {lines} lines without its tests, {MAX_LINES} is the most"));
    }
    let is_unsafe =
        |code: &str| code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe");
    let room = path.split(['/', '.']).next().unwrap_or_default();
    if room != "net" && is_unsafe(&words_only(source)) {
        wrong.push(format!("{path}: unsafe stands only in src/net"));
    }
    if path == "lib.rs" {
        return wrong;
    }
    if path == "main.rs" || path.starts_with("bin/") {
        let lines = code.lines().filter(|l| !l.trim().is_empty()).count();
        if lines > MAX_PROGRAM_LINES {
            wrong.push(format!("{path}: {lines} lines of code; a program holds no logic"));
        }
        return wrong;
    }
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
        wrong.push(format!("{path}: no rule names the room '{room}'"));
        return wrong;
    };
    for other in imported(&code) {
        let known = MAY_IMPORT.iter().any(|(name, _)| *name == other);
        if known && other != room && !allowed.contains(&other.as_str()) {
            wrong.push(format!("{path}: {room} may not import {other}"));
        }
    }
    if matches!(room, "app" | "engine") && imports_crate(&code, &["egui", "eframe", "rfd"]) {
        wrong.push(format!("{path}: {room} knows no egui"));
    }
    wrong
}

fn imports_crate(code: &str, names: &[&str]) -> bool {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| names.contains(&word))
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_rooms_keep_their_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 20, "only {} sources found", found.len());
    found.sort();
    let mut wrong = String::new();
    for path in found {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        for violation in violations(&name, &std::fs::read_to_string(&path).unwrap()) {
            let _ = writeln!(wrong, "{violation}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn an_import_of_the_wrong_room_is_found() {
    let bad = [
        "use crate::net::Door;",
        "use crate::{\n  wire::bits,\n  net::{a, b},\n};",
        "fn f() { crate :: net::f() }",
    ];
    for source in bad {
        assert_eq!(violations("wire/x.rs", source).len(), 1, "{source}");
    }
    assert_eq!(violations("app/x.rs", "use crate::net::Door;").len(), 1);
    assert_eq!(violations("app/x.rs", "use egui::Ui;").len(), 1);
    assert_eq!(violations("cli/x.rs", "use crate::ui;").len(), 1);
    assert_eq!(violations("attic/x.rs", "").len(), 1);
    assert!(violations("craft/x.rs", "use crate::wire::bits;\nuse crate::craft::Draft;").is_empty());
}

#[test]
fn words_in_comments_and_texts_do_not_count() {
    let source =
        "// unsafe crate::net::x\n/* unsafe */ fn f() -> &'static str { \"unsafe \\\" crate::net\" }\n";
    assert!(violations("wire/x.rs", source).is_empty());
    assert!(violations("wire/x.rs", "const A: &str = r#\"unsafe \"crate::net\"#;").is_empty());
    assert!(violations("wire/x.rs", "#![deny(unsafe_code)]").is_empty());
}

#[test]
fn unsafe_outside_net_is_found_also_in_tests() {
    assert_eq!(violations("wire/x.rs", "fn f() { unsafe { g() } }").len(), 1);
    assert_eq!(violations("pcap/x.rs", "\n#[cfg(test)]\nmod tests { fn f() { unsafe { g() } } }").len(), 1);
    assert!(violations("net/x.rs", "fn f() { unsafe { g() } }").is_empty());
}

#[test]
fn a_long_file_is_found_and_its_tests_do_not_count() {
    let long = "fn f() {}\n".repeat(MAX_LINES + 1);
    assert_eq!(violations("wire/x.rs", &long).len(), 1);
    let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert!(violations("wire/x.rs", &tested).is_empty());
    assert_eq!(violations("main.rs", &"f();\n".repeat(20)).len(), 1);
}
