//! The program `billfold`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request makes many small values that do not live long; with the C library's allocator they take a third more time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    billfold_cli::main()
}
