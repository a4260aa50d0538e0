//! The program `billfold`, with Acme Pay linked: naming its crate is all that it takes.

use std::process::ExitCode;

use acme as _;

fn main() -> ExitCode {
    billfold_cli::main()
}
