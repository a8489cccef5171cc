//! Lapwing's one program: it hands its arguments to the command line and its verdict to the shell.

use std::process::ExitCode;

fn main() -> ExitCode {
    lapwing::cli::run(std::env::args_os())
}
