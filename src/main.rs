//! Parse, run, exit code.

fn main() -> std::process::ExitCode {
    lifeboat::cli::main()
}
