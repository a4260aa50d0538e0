//! The program `billfold`: demo, server, sandbox, and commands for every resource of the API.
//!
//! A program with further providers is three lines: name their crates, and call [`main`].

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod client;
mod commands;
#[cfg(feature = "sandbox")]
mod demo;
mod operator;
mod output;
mod providers;
mod root_key;
mod wrappers;

use std::process::ExitCode;

use clap::Parser as _;

/// Runs the program with the process's arguments. Exit code 0 for success, 1 for a failure that was
/// said on standard error, 2 for wrong usage.
pub fn main() -> ExitCode {
    let args = args::Args::parse();
    // First thing, in one place: clients built before a provider is installed would panic. A
    // provider installed by the embedding program stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error)),
    };
    match (runtime.block_on(commands::run(args)), output::unprinted()) {
        (Ok(()), None) => ExitCode::SUCCESS,
        (Ok(()), Some(error)) => failed(&anyhow::anyhow!("standard output: {error}")),
        (Err(error), _) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    output::tell!("error: {error:#}");
    ExitCode::FAILURE
}
