//! How a bench ends: passed, failed, or why it could not be run to its end.

use std::process::ExitCode;

pub(crate) fn of(ran: anyhow::Result<bool>) -> ExitCode {
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("\nverdict: FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}
