//! The licences of the crates that the programs are built from, which each of them wants to be passed on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// One text: each crate that the programs are built from with its licence, then each licence text once.
///
/// # Errors
/// When cargo does not say which crates these are, or a licence file cannot be read.
pub fn collect() -> Result<String> {
    let metadata = metadata()?;
    let used = used(&metadata)?;
    let mut text = String::from(
        "rawbench is built from these crates of crates.io, each under the licence named. Their licence texts follow.\n\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages(&metadata).filter(|p| used.contains(id(p)) && p["name"] != "rawbench") {
        let name = format!("{} {}", word(&package["name"]), word(&package["version"]));
        let _ = writeln!(text, "{name}: {}", package["license"].as_str().unwrap_or("see its text below"));
        let mut files = Vec::new();
        if let Some(directory) = Path::new(word(&package["manifest_path"])).parent() {
            licence_files(directory, 0, &mut files)?;
        }
        for file in files {
            let read = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
            let licence = String::from_utf8_lossy(&read).replace('\r', "").trim().to_owned();
            let owners = texts.entry(licence).or_default();
            if owners.last() != Some(&name) {
                owners.push(name.clone());
            }
        }
    }
    for (licence, owners) in texts {
        let _ = write!(text, "\n{}\n{}:\n\n{licence}\n", "-".repeat(78), owners.join(", "));
    }
    Ok(text)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn id(package: &Value) -> &str {
    word(&package["id"])
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

/// What `cargo metadata` says for the machine that builds.
fn metadata() -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = run(Command::new(&cargo).arg("-vV"))?;
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).context("cargo -vV names no host")?;
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let said = run(Command::new(&cargo)
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", host, "--manifest-path"])
        .arg(manifest))?;
    serde_json::from_str(&said).context("read what cargo metadata says")
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("start {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{} failed: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// The ids of all packages that end up in the programs: not those of tests and of build scripts alone.
fn used(metadata: &Value) -> Result<BTreeSet<&str>> {
    let root = packages(metadata).find(|p| p["name"] == "rawbench").map(id).context("no package rawbench")?;
    let nodes: BTreeMap<&str, &Value> =
        metadata["resolve"]["nodes"].as_array().into_iter().flatten().map(|node| (id(node), node)).collect();
    let mut used = BTreeSet::new();
    let mut open = vec![root];
    while let Some(next) = open.pop() {
        if !used.insert(next) {
            continue;
        }
        let dependencies = nodes.get(next).and_then(|node| node["deps"].as_array());
        for dependency in dependencies.into_iter().flatten() {
            let kinds = dependency["dep_kinds"].as_array();
            if kinds.into_iter().flatten().any(|kind| kind["kind"].is_null()) {
                open.push(word(&dependency["pkg"]));
            }
        }
    }
    Ok(used)
}

/// Files that hold a licence or a notice, also of fonts, which stand a directory deeper.
fn licence_files(directory: &Path, depth: u8, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    let mut paths = entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|n| n.to_string_lossy().to_uppercase()).unwrap_or_default();
        if path.is_dir() {
            if depth < 1 {
                licence_files(&path, depth + 1, found)?;
            }
        } else if ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE", "OFL", "UFL"]
            .iter()
            .any(|word| name.contains(word))
            && !name.ends_with(".RS")
        {
            found.push(path);
        }
    }
    Ok(())
}
