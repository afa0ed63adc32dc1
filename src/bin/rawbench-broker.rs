//! The `rawbench-broker` program: opens raw sockets for the window. Holds no logic of its own.

fn main() -> std::process::ExitCode {
    rawbench::net::broker_main()
}
