//! `cargo xtask torture`: whole programs over real HTTP and real databases, under everything that goes wrong, and
//! afterwards a reader that knows nothing of Billfold's code compares database, gateway and merchant.
//!
//! Each trial prints its seed, how often it did what it does, and its verdict. A trial that cannot be done on this
//! machine says so; it does not count as passed.

mod books;
mod canary;
mod installation;
mod keep;
mod load;
mod merchant;
mod notes;
mod postgres;
mod rows;
mod trial;
mod trials;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use trial::{Plan, Report};

/// Whole programs under faults.
#[derive(Debug, Parser)]
struct Args {
    /// A few of everything, in minutes.
    #[arg(long)]
    quick: bool,
    /// Only trials whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Only on this database: `sqlite` or `postgres`.
    #[arg(long)]
    database: Option<String>,
    /// What chance depends on.
    #[arg(long, default_value_t = 0x6269_6c6c_666f_6c64)]
    seed: u64,
    /// Write the results as a Markdown table, too.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(report) if report.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<Report> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let plan = Plan { quick: args.quick, seed: args.seed };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(trials::run(&plan, args.only.as_deref(), args.database.as_deref()))?;
    if let Some(file) = &args.table {
        std::fs::write(file, report.markdown())?;
    }
    println!("\n{}", report.summary());
    Ok(report)
}
