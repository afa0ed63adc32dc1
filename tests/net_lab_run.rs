//! `rawbench lab`: a command in the lab, who it is there, and that nothing is left of it.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "common/net.rs"]
mod common;

use common::{is_root, program, skip};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Runs a script in the lab; none where there can be no lab.
fn in_lab(test: &str, script: &str) -> Option<Output> {
    let output = lab().args(["--", "/bin/sh", "-c", script]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("cannot make the lab") {
        skip(test, &said);
        return None;
    }
    Some(output)
}

fn lab() -> Command {
    let mut command = Command::new(program("rawbench"));
    command.arg("lab").env_remove("SUDO_UID").env_remove("PKEXEC_UID");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_command_finds_the_lab_around_it_and_its_exit_status_comes_back() {
    let rawbench = program("rawbench");
    let script = format!(
        "id -u; cat /proc/net/dev; for to in 'ip(dst=10.77.0.2)' 'ip(dst=10.77.0.2)'; do \
         '{}' send \"$to/tcp(dstport=80, flags=S)\" --json; done; exit 7",
        rawbench.display()
    );
    let Some(output) = in_lab("a_command_finds_the_lab", &script) else { return };
    let said = text(&output);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(said.starts_with("0\n") && said.contains("lab0:"), "{said}");
    assert_eq!(said.matches("\"kind\":\"syn-ack\"").count(), 2, "{said} {output:?}");
}

#[test]
fn outside_the_command_is_no_more_than_the_user() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("made-in-the-lab");
    let Some(output) = in_lab("outside_the_command_is_the_user", &format!("touch '{}'", file.display()))
    else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let owner = |path: &std::path::Path| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).unwrap().uid()
    };
    assert_eq!(owner(&file), owner(directory.path()));
    if is_root() {
        // Behind sudo the command is the user, who may not write here and may change nothing of root's.
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "root's").unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let output = Command::new(program("rawbench"))
            .args(["lab", "--", "/bin/sh", "-c", "id -u; echo $HOME; cat \"$0\""])
            .arg(&secret)
            .env("SUDO_UID", "65534")
            .env("SUDO_GID", "65534")
            .output()
            .unwrap();
        assert_eq!(text(&output), "0\n/nonexistent\n", "{output:?}");
        assert!(!output.status.success());
        // Nor does the program itself read for the user what is root's, and it works inside the lab.
        let rawbench = program("rawbench");
        let rawbench = rawbench.to_str().unwrap();
        let as_user = |arguments: &[&str]| {
            let mut command = Command::new(rawbench);
            command.args(arguments).env("SUDO_UID", "65534").env("SUDO_GID", "65534").output().unwrap()
        };
        let payload = format!("ip(dst=10.77.0.2)/udp/file({})", secret.display());
        assert!(!as_user(&["craft", &payload]).status.success(), "a secret of root's is read");
        let syn = "ip(dst=10.77.0.2)/tcp(dstport=80, flags=S)";
        let inside = as_user(&["lab", "--", rawbench, "send", syn]);
        assert!(text(&inside).contains("syn-ack"), "{inside:?}");
    }
}

#[test]
fn a_command_that_is_not_there_or_is_killed_ends_as_in_a_shell() {
    if in_lab("a_command_that_is_not_there", "true").is_none() {
        return;
    }
    let status = |arguments: &[&str]| lab().arg("--").args(arguments).output().unwrap();
    let missing = status(&["no-such-command"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot run no-such-command in the lab"));
    assert_eq!(status(&["/etc/passwd"]).status.code(), Some(126));
    assert_eq!(status(&["/bin/sh", "-c", "kill -9 $$"]).status.code(), Some(137));
}

#[test]
fn the_lab_lasts_until_every_process_of_it_is_gone() {
    let begun = Instant::now();
    let Some(output) = in_lab("the_lab_lasts", "(sleep 0.7; echo later) & exit 3") else { return };
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(3), "later\n"));
    assert!(begun.elapsed() >= Duration::from_millis(700));
}

/// Whether a process runs whose arguments contain this.
fn runs(argument: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes()))
    })
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nothing_of_a_lab_is_left_when_its_call_is_killed() {
    if in_lab("nothing_of_a_lab_is_left", "true").is_none() {
        return;
    }
    for (signal, mark) in
        [(libc::SIGKILL, "300.0391"), (libc::SIGTERM, "300.0392"), (libc::SIGHUP, "300.0393")]
    {
        // One process in a session of its own, as a daemon would be.
        let script = format!("setsid sleep {mark} & sleep {mark}");
        let mut child: Child =
            lab().args(["--", "/bin/sh", "-c", &script]).stdin(Stdio::null()).spawn().unwrap();
        wait_until("it does not start", || runs(mark));
        #[allow(unsafe_code)]
        // SAFETY: the number is that of our child, which was not waited for yet.
        unsafe {
            libc::kill(child.id() as i32, signal);
        }
        child.wait().unwrap();
        wait_until("something outlives the lab", || !runs(mark));
    }
}

#[test]
#[allow(unsafe_code)]
fn nothing_is_left_when_the_call_is_killed_while_it_starts() {
    if in_lab("nothing_is_left_while_it_starts", "true").is_none() {
        return;
    }
    let mark = "300.0394";
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..120 {
        let mut child =
            lab().args(["--", "sleep", mark]).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.u64(500..15_000)));
        let signal = [libc::SIGKILL, libc::SIGTERM, libc::SIGHUP][round % 3];
        // SAFETY: the number is that of our child, which was not waited for yet.
        unsafe { libc::kill(child.id() as i32, signal) };
        child.wait().unwrap();
    }
    wait_until("something outlives the lab", || !runs(mark));
}

#[test]
fn a_signal_to_end_reaches_the_command() {
    let script = "trap 'echo trapped; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    if in_lab("a_signal_to_end_reaches_the_command", "true").is_none() {
        return;
    }
    let mut child = lab()
        .args(["--", "/bin/sh", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    #[allow(unsafe_code)]
    // SAFETY: the number is that of our child, which was not waited for yet.
    unsafe {
        libc::kill(child.id() as i32, libc::SIGTERM);
    }
    assert_eq!(lines.next().unwrap().unwrap(), "trapped");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn a_caller_that_ignores_its_children_gets_the_exit_status_too() {
    if in_lab("a_caller_that_ignores_its_children", "true").is_none() {
        return;
    }
    let script = r#"trap '' CHLD; exec "$0" lab -- /bin/sh -c 'exit 9'"#;
    let mut command = Command::new("/bin/bash");
    command.args(["-c", script]).arg(program("rawbench")).env_remove("SUDO_UID");
    assert_eq!(command.output().unwrap().status.code(), Some(9));
}

#[test]
fn a_limit_of_no_user_namespaces_is_named_with_the_way_out() {
    // Inside a user namespace of its own the limit can be set by anybody, for what is below it.
    let script =
        "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all \"$0\" lab -- true";
    let output = Command::new("unshare")
        .args(["-Ur", "/bin/sh", "-c", script])
        .arg(program("rawbench"))
        .env_remove("SUDO_UID")
        .output();
    let said = match output {
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    if !said.contains("cannot make the lab") {
        return skip("a_limit_of_no_user_namespaces", &said);
    }
    assert!(said.contains("user.max_user_namespaces=0"), "{said}");
    assert!(said.contains("`sudo sysctl -w user.max_user_namespaces=15000`"), "{said}");
}
