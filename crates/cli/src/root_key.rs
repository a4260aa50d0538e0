//! New root keys for the vault.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use billfold_core::entropy::SystemEntropy;
use billfold_core::secret::ExposeSecret as _;
use billfold_core::vault::LocalWrapper;
use serde_json::json;

use crate::args::Global;
use crate::output;

/// Prints one.
pub(crate) fn generate(global: &Global) -> anyhow::Result<()> {
    let key = LocalWrapper::generate(&SystemEntropy)?;
    if global.json {
        output::json(&json!({"root_key": key.expose_secret()}));
    } else {
        output::say!("{}", key.expose_secret());
    }
    Ok(())
}

/// Makes a file with one, and says what to do with it.
pub(crate) fn init(global: &Global, file: &Path) -> anyhow::Result<()> {
    write_new(file)?;
    let file = file.canonicalize()?;
    if global.json {
        output::json(&json!({"root_key_file": file}));
        return Ok(());
    }
    output::say!("a new root key is in {}, which only you can read", file.display());
    let path = toml::Value::String(file.to_string_lossy().into_owned());
    output::say!("\nIn billfold.toml:\n\n[vault]\nroot_key_file = {path}\n");
    output::say!("Keep a copy in a safe place, and not in the same backup as the database:");
    output::say!("what is sealed opens with nothing else.");
    Ok(())
}

/// Makes a file with a new root key; never writes over one.
pub(crate) fn write_new(file: &Path) -> anyhow::Result<()> {
    let key = LocalWrapper::generate(&SystemEntropy)?;
    let made = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(file);
    let mut made = made.with_context(|| format!("{} cannot be made", file.display()))?;
    writeln!(made, "{}", key.expose_secret())?;
    Ok(made.sync_all()?)
}
