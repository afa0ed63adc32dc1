#!/usr/bin/env bash
# Builds the Debian package, from a clone to target/debian/*.deb. Says where the package stands.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

need() {
    command -v "$1" >/dev/null && return
    echo "packaging/build.sh: $1 is missing; install it with: $2" >&2
    exit 1
}
need cargo "the installer from https://rustup.rs"
need cargo-deb "cargo install --locked cargo-deb"
need rsvg-convert "sudo apt install librsvg2-bin"
need dpkg-shlibdeps "sudo apt install dpkg-dev"

# What Cargo.toml lists as assets: generated here, because `cargo deb` generates nothing.
files=target/made-by-packaging-build.sh
rm -rf "$files"
mkdir -p "$files/icons"
cargo run --quiet --locked --package package-files -- "$files"
gzip -9n "$files/third-party"
for size in 16 22 24 32 48 64 128 256 512; do
    rsvg-convert --width "$size" --height "$size" --output "$files/icons/$size.png" assets/rawbench.svg
done

# cargo-deb names the package file that it wrote as the last line.
cargo deb --locked
