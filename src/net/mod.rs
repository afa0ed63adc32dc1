//! Every system call. Imports nothing of ours.

/// Runs the broker and gives its exit status.
pub fn broker_main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
