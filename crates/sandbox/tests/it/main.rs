//! The sandbox as clients, browsers and webhook receivers meet it: over HTTP, checked against what the real
//! gateway documents.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod adyen;
mod auth;
mod channel;
mod charges;
mod control;
mod customers;
mod faults;
mod fields;
mod limits;
mod pages;
mod played;
mod receiver;
mod record;
mod rules;
mod sessions;
mod start;
mod support;
mod tokens;
mod webhooks;
