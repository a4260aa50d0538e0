//! The program `billfold`.

use std::process::ExitCode;

fn main() -> ExitCode {
    billfold_cli::main()
}
