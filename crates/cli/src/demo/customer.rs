//! Plays the customer: opens the hosted page, fills its form, confirms, and follows the way back.

use anyhow::{Context as _, bail};
use reqwest::{Client, Response, redirect};
use url::Url;

/// A browser without eyes: it sees where each answer sends it.
pub(super) struct Customer {
    http: Client,
}

impl Customer {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { http: Client::builder().redirect(redirect::Policy::none()).no_proxy().build()? })
    }

    /// Opens a page.
    pub(super) async fn open(&self, url: &str) -> anyhow::Result<()> {
        let page = self.http.get(url).send().await?;
        if !page.status().is_success() {
            bail!("{url} answered {}", page.status());
        }
        Ok(())
    }

    /// Sends the form of the hosted page at `link`; says where it leads.
    pub(super) async fn submit(&self, link: &str, fields: &[(&str, &str)]) -> anyhow::Result<Url> {
        let answer = self.http.post(format!("{link}/submit")).form(fields).send().await?;
        next(&answer)
    }

    /// Answers a challenge; says where that leads.
    pub(super) async fn decide(&self, challenge: &Url, decision: &str) -> anyhow::Result<Url> {
        let answer = self.http.post(challenge.clone()).form(&[("decision", decision)]).send().await?;
        next(&answer)
    }

    /// Follows an address that must send the browser on; says where.
    pub(super) async fn follow(&self, url: &Url) -> anyhow::Result<Url> {
        next(&self.http.get(url.clone()).send().await?)
    }
}

fn next(answer: &Response) -> anyhow::Result<Url> {
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
    let location = location
        .with_context(|| format!("{} answered {} and leads nowhere", answer.url().path(), answer.status()))?;
    Ok(answer.url().join(location)?)
}
