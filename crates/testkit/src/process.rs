//! Programs that end with the test, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A program that is stopped when this is dropped, and also when the test's process is killed: a
/// small shell holds it and waits for the end of a pipe that only we hold open.
#[derive(Debug)]
pub struct Guarded {
    shell: Child,
}

impl Guarded {
    /// Runs `command` (a shell command line, started in the background), ends it with `signal` (`TERM`,
    /// `INT`), and runs `cleanup` after its end. A shell lets its background programs ignore `INT`, so that
    /// is for those that handle it themselves.
    pub fn start(command: &str, signal: &str, cleanup: &str) -> Self {
        // The program must not hold the pipe, or closing our end would not be seen.
        let script = format!(
            "{command} </dev/null & pid=$!; cat >/dev/null; kill -{signal} $pid 2>/dev/null; wait $pid; {cleanup}"
        );
        let shell = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self { shell }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// The first of `names` that is in the search path or in one of `folders`.
pub fn find_program(names: &[&str], folders: &[PathBuf]) -> Option<PathBuf> {
    let path = Command::new("sh").args(["-c", "printf %s \"$PATH\""]).output().ok()?;
    let path = String::from_utf8_lossy(&path.stdout).into_owned();
    let search = folders.iter().cloned().chain(path.split(':').map(PathBuf::from));
    let search: Vec<PathBuf> = search.collect();
    names
        .iter()
        .flat_map(|name| search.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

/// A port of the loopback address that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Whether an environment variable is set to `1`.
#[expect(clippy::disallowed_methods, reason = "tests are told by their environment what they must not skip")]
pub fn is_required(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| value == "1")
}

/// Says loudly that tests are skipped, or fails when they must not be.
pub fn skip(what: &str, variable: &str, missing: &str) {
    assert!(!is_required(variable), "{variable}=1, but {missing}");
    eprintln!("SKIPPED: {what}: {missing}");
}

/// Quotes a path for the shell.
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
