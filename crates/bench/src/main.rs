//! `cargo xtask bench vault`: what the vault costs, as ratios to the raw floor of the same database, measured
//! in the same run with the same number of clients. `cargo xtask bench rotation`: key rotation under load,
//! killed again and again.

mod client;
mod floor;
mod load;
mod rotation;
mod vault;

use std::process::ExitCode;

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let outcome = match name.as_str() {
        "vault" => vault::measure_all(),
        "rotation" => rotation::measure_all(),
        other => Err(anyhow::anyhow!("no measurement `{other}`; there are: rotation, vault")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
