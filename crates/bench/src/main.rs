//! `cargo xtask bench vault`: what the vault costs, as ratios to the raw floor of the same database, measured
//! in the same run with the same number of clients. `cargo xtask bench rotation`: key rotation under load,
//! killed again and again.

mod client;
mod floor;
mod load;
mod rotation;
mod vault;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// As in the program that is measured.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Both databases, or the one whose name begins like this: `sqlite`, `postgres`.
#[derive(Debug, Clone, Copy)]
struct Databases<'a> {
    only: Option<&'a str>,
}

impl Databases<'_> {
    fn has(self, name: &str) -> bool {
        self.only.is_none_or(|only| name.to_ascii_lowercase().starts_with(only))
    }
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let only = std::env::args().nth(2);
    let databases = Databases { only: only.as_deref() };
    let outcome = match name.as_str() {
        "vault" => vault::measure(databases),
        "rotation" => rotation::measure(databases),
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
