//! The man pages: one of the program and one of each command.

use anyhow::{Result, ensure};
use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

/// The exit statuses, in the words of `rawbench --help`.
const STATUSES: [(&str, &str); 4] = [
    ("0", "done"),
    ("1", "it failed while running"),
    ("2", "the call or the notation is wrong"),
    ("3", "the privilege to open a raw socket is missing"),
];

/// How `--help` begins the paragraph about them.
const EXIT_STATUS: &str = "Exit status:";

const FILES: [(&str, &str); 3] = [
    (
        "~/.local/state/rawbench",
        "Holds the packets that were captured in the window until it is closed or another capture begins. \
         Only their owner can read them.",
    ),
    (
        "/usr/libexec/rawbench-broker",
        "Opens raw sockets for the window and the commands, where it was given the capability to do so. \
         It is looked for beside rawbench too. See rawbench-broker(8).",
    ),
    ("/run/netns", "The network namespaces that --netns knows by name."),
];

const ENVIRONMENT: [(&str, &str); 3] = [
    ("XDG_STATE_HOME", "Where state is kept, when it is not ~/.local/state."),
    ("DISPLAY, WAYLAND_DISPLAY", "Where the window opens."),
    (
        "RAWBENCH_NO_DIALOGS",
        "When it is set, the window asks for paths itself instead of with a file dialog.",
    ),
];

/// Pages elsewhere that help with any of ours.
const RELATED: [(&str, &str); 6] = [
    ("rawbench-broker", "8"),
    ("wireshark", "1"),
    ("tcpdump", "8"),
    ("packet", "7"),
    ("raw", "7"),
    ("network_namespaces", "7"),
];

/// The pages as file names and their text.
///
/// # Errors
/// When `--help` no longer says what the pages say of the exit status.
pub fn pages(command: Command) -> Result<Vec<(String, String)>> {
    // A page for `rawbench help` would say what `man` says.
    let mut root = command.disable_help_subcommand(true);
    root.build();
    for (status, meaning) in STATUSES {
        let said = format!("{status} {meaning}");
        ensure!(
            after_help(&root).contains(&said),
            "rawbench --help does not say '{said}' any more: change it in packaging/files/src/man.rs too"
        );
    }
    let commands: Vec<&Command> = root.get_subcommands().filter(|c| !c.is_hide_set()).collect();
    let mut pages = vec![page(&root, &root, &commands)?];
    for command in &commands {
        pages.push(page(command, &root, &commands)?);
    }
    Ok(pages)
}

/// The name of a command's page: rawbench, rawbench-send.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, root: &Command, commands: &[&Command]) -> Result<(String, String)> {
    let name = name(command);
    let is_root = name == root.get_name();
    // The synopsis of --help shows the values that options take.
    let usage = command.clone().render_usage().to_string();
    let command = command
        .clone()
        .override_usage(usage.trim_start_matches("Usage:").trim().to_owned())
        .subcommand_help_heading("COMMANDS");
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .source(format!("rawbench {}", root.get_version().unwrap_or_default()))
        .manual("rawbench");

    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut text)?;
    }
    if is_root {
        man.render_subcommands_section(&mut text)?;
    }
    let mut end = Roff::new();
    // The root page shows the examples of all commands.
    let shown: Vec<&Command> = if is_root {
        std::iter::once(&command).chain(commands.iter().copied()).collect()
    } else {
        vec![&command]
    };
    let examples: Vec<String> =
        shown.iter().flat_map(|c| paragraphs(c)).filter_map(|p| example(&p)).collect();
    // A command that ends with other statuses says so in its --help.
    match paragraphs(&command).into_iter().find(|text| !is_root && text.starts_with(EXIT_STATUS)) {
        Some(own) => {
            end.control("SH", ["EXIT STATUS"]);
            end.text([roman(own.trim_start_matches(EXIT_STATUS).trim())]);
        }
        None => list(&mut end, "EXIT STATUS", &STATUSES),
    }
    if is_root {
        list(&mut end, "FILES", &FILES);
        list(&mut end, "ENVIRONMENT", &ENVIRONMENT);
    }
    notes(&mut end, &command);
    show_examples(&mut end, &examples);
    see_also(&mut end, name, root, commands);
    end.to_writer(&mut text)?;
    Ok((format!("{name}.1"), String::from_utf8(text)?))
}

fn after_help(command: &Command) -> String {
    command
        .get_after_long_help()
        .or_else(|| command.get_after_help())
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn paragraphs(command: &Command) -> Vec<String> {
    after_help(command)
        .split("\n\n")
        .map(|text| text.trim_end().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

/// The lines of a paragraph that shows how something is called; nothing for any other.
fn example(paragraph: &str) -> Option<String> {
    let rest = paragraph.strip_prefix("Example:").or_else(|| paragraph.strip_prefix("Examples:"))?;
    Some(rest.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}

/// What `--help` says at its end, without what has a section of its own.
fn notes(end: &mut Roff, command: &Command) {
    let own: Vec<_> = paragraphs(command)
        .into_iter()
        .filter(|text| example(text).is_none() && !text.starts_with(EXIT_STATUS))
        .collect();
    if own.is_empty() {
        return;
    }
    end.control("SH", ["NOTES"]);
    for (i, text) in own.iter().enumerate() {
        if i > 0 {
            end.control("PP", []);
        }
        for line in text.lines() {
            end.text([roman(line.trim())]);
        }
    }
}

fn list(end: &mut Roff, title: &str, items: &[(&str, &str)]) {
    end.control("SH", [title]);
    for (what, text) in items {
        end.control("TP", []);
        end.text([bold(*what)]);
        end.text([roman(*text)]);
    }
}

fn show_examples(end: &mut Roff, examples: &[String]) {
    if examples.is_empty() {
        return;
    }
    end.control("SH", ["EXAMPLES"]);
    for text in examples {
        end.control("PP", []);
        end.control("nf", []);
        for line in text.lines() {
            end.text([roman(line)]);
        }
        end.control("fi", []);
    }
}

fn see_also(end: &mut Roff, own: &str, root: &Command, commands: &[&Command]) {
    let ours = std::iter::once(root).chain(commands.iter().copied()).map(|c| (name(c), "1"));
    let pages: Vec<_> = ours.chain(RELATED).filter(|(page, _)| *page != own).collect();
    end.control("SH", ["SEE ALSO"]);
    for (i, (page, section)) in pages.iter().enumerate() {
        let comma = if i + 1 < pages.len() { "," } else { "" };
        end.text([bold(*page), roman(format!("({section}){comma}"))]);
    }
}
