//! A network namespace of a test's own, with a cable in it whose far end nobody's kernel answers at.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::process::{Command, Stdio};

use super::net::{is_root, skip};

/// Set for the test that runs inside.
const INSIDE: &str = "RAWBENCH_TEST_INSIDE";
/// `near` has addresses, `far` none: the neighbours beyond it are only known by name, so that what is sent to them comes out of
/// `far`, where a packet socket can stand in for them.
const CABLE: &str = r#"
    command -v ip >/dev/null || exit 71
    ip link set lo up || exit 70
    ip link add near type veth peer name far || exit 70
    ip link set far address 02:00:00:00:00:99 up || exit 72
    ip addr add 10.99.0.1/24 dev near || exit 72
    ip link set near up || exit 72
    ip addr add fd99::1/64 dev near nodad || exit 72
    for host in 10.99.0.2 fd99::2; do
        ip neigh replace $host lladdr 02:00:00:00:00:99 dev near || exit 72
    done
    exec "$0" --exact "$1" --nocapture
"#;

/// Runs the test of this name once more, inside a namespace; `true`: this is that run. Where the system forbids namespaces the
/// test is skipped, loudly, and fails with `RAWBENCH_REQUIRE_NET`.
pub fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let how: &[&str] = if is_root() { &["-n"] } else { &["-Un", "--map-current-user", "--keep-caps"] };
    let this = std::env::current_exe().unwrap();
    let out = Command::new("unshare")
        .args(how)
        .args(["sh", "-c", CABLE])
        .arg(this)
        .arg(test)
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .output();
    let Ok(out) = out else {
        skip(test, "there is no unshare");
        return false;
    };
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    match out.status.code() {
        Some(0) => {
            assert!(said.contains("1 passed"), "{test} did not run inside: {said}");
            println!("{said}");
        }
        Some(1 | 70 | 71) if !said.contains("panicked") => {
            skip(test, &format!("there is no namespace of one's own, or no ip: {said}"));
        }
        _ => panic!("{test}, inside:\n{said}"),
    }
    false
}
