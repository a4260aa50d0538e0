//! Size, start-up time and idle memory of the release binary, as it is meant for production.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::ci::{cargo, target_folder};

const RUNS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    cargo(
        root,
        &[
            "build",
            "--locked",
            "--release",
            "-p",
            "billfold-cli",
            "--no-default-features",
            "--features",
            "xendit",
        ],
    )?;
    let target = target_folder(root)?;
    let binary = Path::new(&target).join("release/billfold");
    let folder = Path::new(&target).join("figures");
    fs::create_dir_all(&folder)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let config = folder.join("billfold.toml");
    let key = Command::new(&binary).args(["keys", "generate-root"]).output()?;
    let key = String::from_utf8_lossy(&key.stdout).trim().to_owned();
    fs::write(
        &config,
        format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\n[database]\nurl = \"sqlite://{}\"\n[vault]\nroot_key = \"{key}\"\n[log]\nfilter = \"warn\"\n",
            folder.join("figures.db").display()
        ),
    )?;
    // The first start makes the database; it does not count.
    start(&binary, &config, port)?.0.kill()?;
    let mut times = Vec::new();
    let mut memory = 0;
    for _ in 0..RUNS {
        let (mut child, took) = start(&binary, &config, port)?;
        times.push(took);
        std::thread::sleep(Duration::from_millis(300));
        memory = resident_kib(child.id())?;
        child.kill()?;
        child.wait()?;
    }
    times.sort();
    println!("binary:         {} KiB", fs::metadata(&binary)?.len() / 1024);
    println!("start to ready: {} ms (median of {RUNS})", times[RUNS / 2].as_millis());
    println!("idle memory:    {memory} KiB");
    fs::remove_dir_all(&folder)?;
    Ok(())
}

fn start(binary: &Path, config: &Path, port: u16) -> anyhow::Result<(Child, Duration)> {
    let began = Instant::now();
    let mut child =
        Command::new(binary).arg("serve").arg("--config").arg(config).stdout(Stdio::null()).spawn()?;
    while !is_ready(port) {
        if began.elapsed() > PATIENCE {
            child.kill()?;
            anyhow::bail!("the server was not ready in time");
        }
        ensure!(child.try_wait()?.is_none(), "the server ended early");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok((child, began.elapsed()))
}

fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("the process has no memory figure")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
