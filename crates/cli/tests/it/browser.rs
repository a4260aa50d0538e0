//! A person walks through the demo in a real browser.

use std::io::BufRead as _;
use std::process::Stdio;
use std::time::Duration;

use billfold_testkit::browser::Browser;
use billfold_testkit::process::free_port;
use thirtyfour::prelude::*;

use crate::support::billfold;

async fn click(driver: &WebDriver, id: &str) {
    for _ in 0..20 {
        let found =
            driver.query(By::Id(id)).wait(Duration::from_secs(15), Duration::from_millis(50)).first().await;
        match found.unwrap_or_else(|error| panic!("#{id}: {error}")).click().await {
            // The page was just replaced by another one that has such an element, too.
            Err(error) if error.to_string().contains("stale element") => {}
            clicked => return clicked.unwrap(),
        }
    }
    panic!("#{id} does not stay");
}

async fn fill(driver: &WebDriver, id: &str, text: &str) {
    driver.query(By::Id(id)).first().await.unwrap().send_keys(text).await.unwrap();
}

/// The kinds of the methods that are shown; an error while the page is being replaced.
async fn shown_kinds(driver: &WebDriver) -> WebDriverResult<Vec<String>> {
    let mut kinds = Vec::new();
    for row in driver.find_all(By::Css("li.method[data-kind]")).await? {
        kinds.extend(row.attr("data-kind").await?);
    }
    Ok(kinds)
}

/// Waits until these methods are shown.
async fn kinds_are(driver: &WebDriver, expected: &[&str]) {
    let mut last = None;
    for _ in 0..300 {
        let shown = shown_kinds(driver).await;
        if shown.as_ref().is_ok_and(|shown| shown == expected) {
            return;
        }
        last = Some(shown);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{expected:?} are not shown: {last:?}");
}

async fn shown(driver: &WebDriver, xpath: String) {
    let query = driver.query(By::XPath(&*xpath)).wait(Duration::from_secs(15), Duration::from_millis(50));
    query.first().await.unwrap_or_else(|error| panic!("{xpath} is not there: {error}"));
}

/// Waits until the page says how the session ended.
async fn session_is(driver: &WebDriver, status: &str) {
    shown(driver, format!("//*[@id='session-status' and normalize-space()='{status}']")).await;
}

/// Keeps a picture where `BILLFOLD_SCREENSHOTS` says, to be looked at.
#[expect(clippy::disallowed_methods, reason = "only for a person who wants to see the pictures")]
async fn picture(driver: &WebDriver, name: &str) {
    if let Ok(folder) = std::env::var("BILLFOLD_SCREENSHOTS") {
        driver.screenshot(&std::path::Path::new(&folder).join(format!("{name}.png"))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_saves_pays_and_removes_at_every_gateway() {
    let Some(browser) = Browser::start().await else { return };
    // The driver's own client needs one; the program installs its own.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let port = free_port().to_string();
    let mut demo = billfold()
        .args(["demo", "--port", &port])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(demo.stdout.take().unwrap()).lines();
    let url = lines
        .map_while(Result::ok)
        .find_map(|line| line.trim().strip_prefix("http://").map(|rest| format!("http://{rest}")));
    let url = url.unwrap();

    let serde_json::Value::Object(wanted) = browser.capabilities() else {
        panic!("capabilities are an object")
    };
    let capabilities = Capabilities::from(wanted);
    let driver = WebDriver::new(browser.url(), capabilities).await.unwrap();
    walk(&driver, &url).await;
    driver.quit().await.unwrap();
    demo.kill().unwrap();
    demo.wait().unwrap();
}

async fn walk(driver: &WebDriver, url: &str) {
    driver.goto(url).await.unwrap();
    picture(driver, "1-empty").await;
    // A card: first declined at the bank, then approved, in the same session.
    click(driver, "save-xendit-card").await;
    fill_card(driver, "4000000000002503").await;
    picture(driver, "2-card-form").await;
    click(driver, "pay-submit").await;
    picture(driver, "3-challenge").await;
    click(driver, "fail").await;
    assert!(driver.query(By::Id("error")).first().await.unwrap().text().await.unwrap().contains("try again"));
    picture(driver, "4-declined").await;
    fill_card(driver, "4000000000002503").await;
    click(driver, "pay-submit").await;
    click(driver, "approve").await;
    session_is(driver, "completed").await;
    kinds_are(driver, &["card"]).await;

    // A wallet, chosen among several; first the customer gives up and comes back.
    click(driver, "save-xendit-wallet").await;
    picture(driver, "5-choose").await;
    click(driver, "cancel").await;
    session_is(driver, "active").await;
    click(driver, "save-xendit-wallet").await;
    click(driver, "channel-OVO").await;
    fill(driver, "phone", "+6281234567890").await;
    click(driver, "pay-submit").await;
    click(driver, "approve").await;
    session_is(driver, "completed").await;

    click(driver, "save-xendit-bank-debit").await;
    fill(driver, "account-number", "1234567890").await;
    click(driver, "pay-submit").await;
    click(driver, "approve").await;
    session_is(driver, "completed").await;
    kinds_are(driver, &["card", "wallet", "bank_debit"]).await;
    picture(driver, "6-three-saved").await;

    let rows = driver.find_all(By::Css("li.method")).await.unwrap();
    let card = rows[0].attr("data-id").await.unwrap().unwrap();
    let wallet = rows[1].attr("data-id").await.unwrap().unwrap();
    click(driver, &format!("default-{wallet}")).await;
    click(driver, &format!("remove-{card}")).await;
    kinds_are(driver, &["wallet", "bank_debit"]).await;
    shown(driver, format!("//li[@data-id='{wallet}']//*[contains(@class, 'badge') and .='Default']")).await;
    picture(driver, "7-one-removed").await;
    pay(driver, &wallet).await;
    other_gateways(driver).await;

    // A session whose time is up says so.
    click(driver, "save-xendit-card").await;
    click(driver, "expire").await;
    assert!(driver.query(By::Id("over")).first().await.unwrap().text().await.unwrap().contains("expired"));
    click(driver, "cancel").await;
    session_is(driver, "expired").await;
}

/// Clicks, and waits until the browser is somewhere else: the page before must not answer for the next one.
async fn go(driver: &WebDriver, id: &str) {
    let before = driver.current_url().await.unwrap();
    click(driver, id).await;
    for _ in 0..300 {
        if driver.current_url().await.unwrap() != before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("#{id} leads nowhere");
}

/// Waits until the page says how the charge stands.
async fn charge_is(driver: &WebDriver, status: &str) {
    shown(driver, format!("//*[@id='charge-status' and normalize-space()='{status}']")).await;
}

/// The customer pays, the shop charges without them, the bank refuses, and money is given back.
async fn pay(driver: &WebDriver, wallet: &str) {
    go(driver, &format!("pay-{wallet}")).await;
    charge_is(driver, "succeeded").await;
    go(driver, &format!("alone-{wallet}")).await;
    charge_is(driver, "succeeded").await;
    picture(driver, "8-paid").await;
    let paid = driver.find(By::Css("li.method[data-status='succeeded']")).await.unwrap();
    let paid = paid.attr("data-charge").await.unwrap().unwrap();
    click(driver, &format!("refund-{paid}")).await;
    let row =
        format!("//li[@data-charge='{paid}']//*[contains(@class, 'badge') and contains(., 'given back')]");
    driver
        .query(By::XPath(row))
        .wait(Duration::from_secs(15), Duration::from_millis(50))
        .first()
        .await
        .unwrap();

    // A card whose bank wants to see its customer: first they fail, then they pass.
    click(driver, "save-xendit-card").await;
    fill_card(driver, "4000000000002503").await;
    click(driver, "pay-submit").await;
    click(driver, "approve").await;
    session_is(driver, "completed").await;
    let card = driver.find(By::Css("li.method[data-kind='card']")).await.unwrap();
    let card = card.attr("data-id").await.unwrap().unwrap();
    go(driver, &format!("pay-{card}")).await;
    picture(driver, "10-confirm").await;
    go(driver, "fail").await;
    charge_is(driver, "declined").await;
    go(driver, &format!("pay-{card}")).await;
    go(driver, "approve").await;
    charge_is(driver, "succeeded").await;
    go(driver, &format!("refused-{card}")).await;
    charge_is(driver, "declined").await;
    let class = driver.find(By::Id("decline-class")).await.unwrap().text().await.unwrap();
    assert_eq!(class, "insufficient_funds");
    picture(driver, "9-refused").await;
}

/// The pages of the other gateways, in the same shop.
async fn other_gateways(driver: &WebDriver) {
    for (gateway, offer, number) in [
        ("stripe", "card", Some(("card-number", "4242424242424242"))),
        ("adyen", "card", Some(("card-number", "4111111111111111"))),
        ("gocardless", "bank-debit", Some(("account-number", "55779911"))),
    ] {
        click(driver, &format!("save-{gateway}-{offer}")).await;
        picture(driver, &format!("11-{gateway}")).await;
        if let Some((field, number)) = number {
            let field = driver.query(By::Id(field)).first().await.unwrap();
            field.clear().await.unwrap();
            field.send_keys(number).await.unwrap();
        }
        if gateway == "gocardless" {
            let branch = driver.query(By::Id("branch-code")).first().await.unwrap();
            branch.clear().await.unwrap();
            branch.send_keys("200000").await.unwrap();
        }
        click(driver, "pay-submit").await;
        if gateway == "gocardless" {
            click(driver, "approve").await;
        }
        session_is(driver, "completed").await;
        let row = format!("//li[@data-id and contains(., 'at {gateway}')]");
        shown(driver, row.clone()).await;
        let saved = driver.find(By::XPath(&*row)).await.unwrap().attr("data-id").await.unwrap().unwrap();
        go(driver, &format!("alone-{saved}")).await;
        // Bank debits take days.
        charge_is(driver, if gateway == "gocardless" { "processing" } else { "succeeded" }).await;
        picture(driver, &format!("12-{gateway}-paid")).await;
    }
}

async fn fill_card(driver: &WebDriver, number: &str) {
    fill(driver, "card-number", number).await;
    fill(driver, "card-expiry-month", "12").await;
    fill(driver, "card-expiry-year", "2034").await;
    fill(driver, "card-cvv", "123").await;
    fill(driver, "card-name", "Lorem Ipsum").await;
}
