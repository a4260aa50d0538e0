//! The address of the server is handed to gateways and browsers: nothing secret may be in it.

use billfold_core::registry::Registry;
use billfold_server::{App, Config, ConfigSources};

/// The problem of an address, when it has one.
fn problem(address: &str) -> Option<String> {
    let overrides = vec![("server.public_url".to_owned(), address.into())];
    let config = Config::load(&ConfigSources { file: None, overrides }).unwrap();
    let error = App::check(&config, &Registry::default()).unwrap_err().to_string();
    // With the address in order, the missing root key is next.
    Some(error).filter(|error| error.contains("server.public_url"))
}

#[test]
fn an_address_holds_no_credentials() {
    assert_eq!(problem("https://pay.shop.example/billfold"), None);
    for address in [
        "https://user@pay.shop.example",
        "https://user:CANARY@pay.shop.example",
        "https://:CANARY@pay.shop.example",
        "https://pay.shop.example?key=CANARY",
        "https://pay.shop.example#CANARY",
    ] {
        let problem = problem(address).unwrap_or_else(|| panic!("{address} is taken"));
        assert!(!problem.contains("CANARY"), "{problem}");
    }
}
