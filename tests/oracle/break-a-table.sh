#!/usr/bin/env bash
# Breaks a table on purpose, in a copy of the sources, and asks whether the tests see it: a bit range, a name, a scale
# and a length rule. Not in CI, because it builds the program once for each. Ends with 1 when a change was not seen.
#   tests/oracle/break-a-table.sh [DIRECTORY FOR THE COPY AND ITS BUILD]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=${1:-$(mktemp -d)}
mkdir -p "$work/copy"
tar --exclude=./target --exclude=./fuzz/target -cf - . | tar -xf - -C "$work/copy"
cd "$work/copy"
export CARGO_TARGET_DIR=$work/target RAWBENCH_REQUIRE_ORACLES=1 RUST_BACKTRACE=0
tests=(tables fuzz_findings differential_corpus differential_scapy)
unseen=0

# try FILE WHAT IT SAYS, WHAT IT SHALL SAY, IN WORDS
try() {
    local file=src/wire/protocols/$1 before=$2 after=$3 failed=() name
    if [ "$(grep -cF -- "$before" "$file")" -ne 1 ]; then
        echo "$file does not say '$before' once: change this script"
        exit 2
    fi
    cp "$file" "$work/whole"
    python3 - "$file" "$before" "$after" <<'P'
import sys
path, before, after = sys.argv[1:]
text = open(path).read()
open(path, "w").write(text.replace(before, after))
P
    for name in "${tests[@]}"; do
        timeout 900 cargo test --quiet --no-default-features --test "$name" >"$work/log-$name" 2>&1 || failed+=("$name")
    done
    if grep -q "^error\[E" "$work"/log-*; then
        echo "$4: does not compile"
        unseen=1
    elif [ ${#failed[@]} -eq 0 ]; then
        echo "$4: NOT SEEN"
        unseen=1
    else
        echo "$4: seen by ${failed[*]}"
    fi
    cp "$work/whole" "$file"
    touch "$file"
}

try tcp.rs '"Urgent Pointer", 144, 16)' '"Urgent Pointer", 143, 16)' "a bit range: TCP's urgent pointer one bit early"
try ipv4.rs 'Field::number("ttl", "Time' 'Field::number("tll", "Time' "a name: ip.tll instead of ip.ttl"
try tcp.rs ".scale(4)" ".scale(8)" "a scale: TCP's data offset in words of 8 bytes"
exit "$unseen"
