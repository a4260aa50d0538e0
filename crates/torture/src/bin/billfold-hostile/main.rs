//! The program `billfold` with a provider that does what no provider may: naming it is all that it takes.

mod provider;

use std::process::ExitCode;

fn main() -> ExitCode {
    billfold_cli::main()
}
