//! Capturing on another machine: ssh(1) runs tcpdump(8) there, and its output comes as a stream.

use std::io::Read;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::sources::{Failure, Listen, Source};
use crate::net::Place;

/// Of what the other side says, so much is kept: the end of it, in bytes.
const SAID: usize = 4096;
/// How long the other side may take to end in order; then the connection is cut.
const PATIENCE: Duration = Duration::from_secs(2);
/// How ssh runs: without a question that nobody would see, and with an end when nothing answers any more.
const OPTIONS: [&str; 6] = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"];

/// A capture on another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// As ssh takes it: `host`, `user@host`, `ssh://user@host:port`, or a name from its configuration.
    pub host: String,
    /// What is run there, in the words of its shell; a single command that writes a capture to its standard output.
    pub command: String,
}

impl Remote {
    /// The command that captures on an interface there. An empty filter takes all. The filter is one argument, whatever it
    /// holds.
    #[must_use]
    pub fn command(interface: &str, filter: &str) -> String {
        let mut command = "tcpdump -U -w -".to_owned();
        if !interface.trim().is_empty() {
            command += &format!(" -i {}", quoted(interface.trim()));
        }
        match filter.trim() {
            "" => {}
            filter if filter.starts_with('-') => command += &format!(" -- {}", quoted(filter)),
            filter => command += &format!(" {}", quoted(filter)),
        }
        command
    }

    /// Checks what can be checked here.
    ///
    /// # Errors
    /// What is wrong, for the person.
    pub fn check(&self) -> Result<(), String> {
        let host = &self.host;
        if host.is_empty() {
            return Err(
                "name the host, as ssh takes it: host, user@host, or a name from ~/.ssh/config".into()
            );
        }
        if host.starts_with('-') {
            return Err(format!("'{host}' is no host: ssh would take it for an option"));
        }
        if host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!("'{}' is no host: there is a space in it", host.escape_debug()));
        }
        if self.command.trim().is_empty() {
            return Err("there is no command to run there".into());
        }
        if self.command.contains('\0') {
            return Err("there is a zero byte in the command".into());
        }
        Ok(())
    }

    /// The arguments of ssh. The command ends there when the connection does: a process beside it waits for that.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let script = format!(
            "exec 3<&0 </dev/null; (cat <&3; kill $$) >/dev/null 2>&1 & exec 3<&-; exec {}",
            self.command.trim()
        );
        let there = format!("exec sh -c {}", quoted(&script));
        OPTIONS.iter().map(|o| (*o).to_owned()).chain(["--".into(), self.host.clone(), there]).collect()
    }

    /// The source that stands for it in the list.
    #[must_use]
    pub fn source(self) -> Source {
        Source {
            place: Place::Host,
            label: format!("ssh {}", self.host),
            detail: self.command.clone(),
            listen: Listen::Remote(self),
        }
    }

    /// Starts it; gives what it writes.
    pub(super) fn start(&self) -> Result<(Running, ChildStdout), Failure> {
        self.check().map_err(Failure::new)?;
        let failed = |why: String| Failure::new(format!("cannot capture on {}: {why}", self.host));
        let started = Command::new("ssh")
            .args(self.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                failed("there is no ssh on this machine; install openssh-client".into())
            }
            _ => failed(format!("ssh cannot be started: {error}")),
        })?;
        let (Some(input), Some(output), Some(messages)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed("its pipes are missing".into()));
        };
        let said = Arc::<Mutex<Said>>::default();
        let listener = Arc::clone(&said);
        std::thread::Builder::new()
            .name("ssh".into())
            .spawn(move || listen(messages, &listener))
            .map_err(|error| failed(format!("the system has no thread left: {error}")))?;
        let connection = Connection { child, input: Some(input) };
        Ok((Running { host: self.host.clone(), connection: Arc::new(Mutex::new(connection)), said }, output))
    }
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What was said on standard error.
#[derive(Debug, Default)]
struct Said {
    text: Vec<u8>,
    ended: bool,
}

fn listen(mut messages: ChildStderr, said: &Mutex<Said>) {
    let mut piece = [0; 1024];
    loop {
        let n = messages.read(&mut piece).unwrap_or(0);
        let mut said = lock(said);
        said.text.extend_from_slice(piece.get(..n).unwrap_or_default());
        let extra = said.text.len().saturating_sub(SAID);
        said.text.drain(..extra);
        said.ended = n == 0;
        if said.ended {
            break;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Connection {
    child: Child,
    /// The command ends when this is closed.
    input: Option<ChildStdin>,
}

/// A capture on another machine that runs.
#[derive(Debug)]
pub(super) struct Running {
    host: String,
    connection: Arc<Mutex<Connection>>,
    said: Arc<Mutex<Said>>,
}

/// Ends a capture on another machine.
#[derive(Debug)]
pub(super) struct Stopper(Arc<Mutex<Connection>>);

impl Stopper {
    /// Has it end in order there, or cuts the connection after a while.
    pub(super) fn stop(&self) {
        lock(&self.0).input = None;
        let connection = Arc::clone(&self.0);
        let cut = move || {
            if wait(&connection, PATIENCE).is_none() {
                let _ = lock(&connection).child.kill();
            }
        };
        if std::thread::Builder::new().name("ssh".into()).spawn(cut).is_err() {
            let _ = lock(&self.0).child.kill();
        }
    }
}

/// The exit status, when there is one within this time.
fn wait(connection: &Mutex<Connection>, patience: Duration) -> Option<std::process::ExitStatus> {
    let begun = Instant::now();
    loop {
        match lock(connection).child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if begun.elapsed() < patience => {}
            _ => return None,
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Running {
    pub(super) fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.connection))
    }

    /// How it ended, where it did not end well; call it when its output has ended.
    pub(super) fn failure(&self) -> Option<Failure> {
        let status = wait(&self.connection, PATIENCE);
        if status.is_some_and(|status| status.success()) {
            return None;
        }
        let begun = Instant::now();
        // A master connection of ssh may hold it open for ever.
        while !lock(&self.said).ended && begun.elapsed() < Duration::from_millis(300) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let said = String::from_utf8_lossy(&lock(&self.said).text).trim().to_owned();
        let host = &self.host;
        let how = match status.map(|status| status.code()) {
            Some(Some(255)) => format!("ssh {host} failed"),
            Some(Some(code)) => format!("the capture on {host} ended with status {code}"),
            Some(None) | None => format!("the connection to {host} was cut"),
        };
        let advice = if said.contains("Permission denied") {
            format!("\nrawbench asks for no password: let ssh log in with a key (ssh-copy-id {host})")
        } else if said.contains("Host key verification failed") {
            format!("\nConnect once in a terminal, to see and accept its key: ssh {host}")
        } else if said.contains("You don't have permission") || said.contains("Operation not permitted") {
            "\nCapturing takes a privilege there: write sudo -n before the command, or log in as root"
                .to_owned()
        } else {
            String::new()
        };
        let said = if said.is_empty() { String::new() } else { format!(":\n{said}") };
        Some(Failure::new(format!("{how}{said}{advice}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut connection = lock(&self.connection);
        connection.input = None;
        if !matches!(connection.child.try_wait(), Ok(Some(_))) {
            let _ = connection.child.kill();
            let _ = connection.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(Remote::command("eth0", "not port 22"), "tcpdump -U -w - -i eth0 'not port 22'");
        assert_eq!(Remote::command("", ""), "tcpdump -U -w -");
        assert_eq!(Remote::command("a b", "-x"), "tcpdump -U -w - -i 'a b' -- -x");
        for word in ["it's; rm -rf ~ $(x) `y` \\ \" \n z", "", "'", "a'b''c"] {
            let out =
                Command::new("sh").args(["-c", &format!("printf %s {}", quoted(word))]).output().unwrap();
            assert_eq!(String::from_utf8(out.stdout).unwrap(), word);
        }
    }

    #[test]
    fn a_host_is_never_an_option() {
        let remote = |host: &str| Remote { host: host.into(), command: "tcpdump".into() };
        for bad in ["", "-oProxyCommand=x", "-", "a b", "a\nb"] {
            assert!(remote(bad).check().is_err(), "{bad}");
        }
        for good in ["host", "me@host", "ssh://me@host:2222", "::1"] {
            assert!(remote(good).check().is_ok(), "{good}");
        }
        let arguments = remote("host").arguments();
        assert_eq!(arguments[OPTIONS.len()..OPTIONS.len() + 2], ["--", "host"]);
        assert!(remote("host").arguments().len() == OPTIONS.len() + 3);
    }
}
