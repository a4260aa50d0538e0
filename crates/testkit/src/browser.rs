//! A real browser: Chromium without a window, driven through chromedriver.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::{Guarded, find_program, free_port, quoted, skip};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running chromedriver.
#[derive(Debug)]
pub struct Browser {
    _driver: Guarded,
    url: String,
    chromium: PathBuf,
}

impl Browser {
    /// Starts chromedriver, or gives `None` after saying loudly what is missing on this machine.
    /// Panics instead when `BILLFOLD_REQUIRE_BROWSER=1`.
    pub async fn start() -> Option<Self> {
        let driver = find_program(&["chromedriver"], &[]);
        let chromium = find_program(&["chromium", "chromium-browser", "google-chrome"], &[]);
        let (Some(driver), Some(chromium)) = (driver, chromium) else {
            skip(
                "tests in a browser",
                "BILLFOLD_REQUIRE_BROWSER",
                "chromium and chromedriver are not installed",
            );
            return None;
        };
        let port = free_port();
        let driver = Guarded::start(&format!("exec {} --port={port}", quoted(&driver)), "TERM", "true");
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "chromedriver did not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(Self { _driver: driver, url: format!("http://127.0.0.1:{port}"), chromium })
    }

    /// Where chromedriver listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What to ask chromedriver for.
    pub fn capabilities(&self) -> Value {
        json!({
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": self.chromium,
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1200,1000",
                ],
            },
        })
    }
}
