//! The project's own checks: `cargo xtask ci` runs all of them, the others one each.

mod ci;
mod figures;
mod fuzz;
mod metadata;
mod migrations;
mod new_provider;
mod peers;
mod scaffold;
mod tidy;
mod trials;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own checks.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that must hold before a change lands.
    Ci {
        /// Only this step.
        #[arg(long)]
        only: Option<String>,
        /// This step and those after it.
        #[arg(long)]
        from: Option<String>,
    },
    /// The rules that neither the compiler nor clippy know.
    Tidy,
    /// A new provider that keeps the contract from its first minute.
    NewProvider {
        /// Its kind: lower-case letters and digits, such as `acme`.
        name: String,
    },
    /// Runs the contract tests of all providers and writes what they gave into `docs/providers`.
    Trials,
    /// Both databases have the same migrations, tables and columns.
    Migrations,
    /// Size, start-up time and memory of the release binary.
    Figures,
    /// Whole programs under faults, checked by an independent reader.
    Torture {
        /// A few of everything, with the programs that the tests use.
        #[arg(long)]
        quick: bool,
        /// What else `billfold-torture` takes: `--only NAME`, `--database sqlite`, `--seed N`, `--table FILE`.
        #[arg(last = true)]
        more: Vec<String>,
    },
    /// The targets of `crates/fuzz` under libFuzzer; needs cargo-fuzz.
    Fuzz {
        /// Only this one.
        target: Option<String>,
        /// How many inputs each is given.
        #[arg(long, default_value_t = 1_000_000)]
        runs: u64,
        /// After how many seconds it ends earlier.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Billfold and its sandboxes against software of others: official SDKs, `localstripe`, published descriptions.
    /// Needs Python and Node, and the network the first time.
    Peers {
        /// Write the results into `docs/providers/peers.md`.
        #[arg(long)]
        write: bool,
    },
    /// Measurements, in release: `vault`, `rotation`.
    Bench {
        /// Which.
        name: String,
        /// On this database only: `sqlite` or `postgres`.
        database: Option<String>,
    },
}

fn main() -> ExitCode {
    let root = root();
    let outcome = match Args::parse().command {
        Command::Ci { only, from } => ci::run(&root, only.as_deref(), from.as_deref()),
        Command::Tidy => tidy::run(&root),
        Command::NewProvider { name } => new_provider::run(&root, &name),
        Command::Trials => tidy::providers(&root).and_then(|providers| trials::run(&root, &providers)),
        Command::Migrations => migrations::run(&root),
        Command::Torture { quick, more } => ci::torture(&root, quick, &more),
        Command::Fuzz { target, runs, seconds } => fuzz::run(&root, target.as_deref(), runs, seconds),
        Command::Peers { write } => peers::run(&root, write),
        Command::Figures => figures::run(&root),
        Command::Bench { name, database } => {
            // The program itself as well, for measurements that run it as a whole.
            ci::cargo(
                &root,
                &["build", "--locked", "--release", "-p", "billfold-cli", "-p", "billfold-bench"],
            )
            .and_then(|()| ci::run_bench(&root, &name, database.as_deref()))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}
