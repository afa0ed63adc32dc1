//! The `rawbench` program: window and command line. Holds no logic of its own.

fn main() -> std::process::ExitCode {
    rawbench::main()
}
