//! Wrong URLs are told apart, and no password is printed.

use billfold_store::{StoreOptions, connect};

async fn check(url: &str, expected: &str) {
    let Err(error) = connect(url, &StoreOptions::default()).await else { panic!("{url} was opened") };
    let text = format!("{error} {error:?}");
    assert!(text.contains(expected), "{url}: {text}");
    assert!(!text.contains("CANARY"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mistake_has_its_own_words() {
    check("billfold.db", "expected a URL such as").await;
    check("mysql://root:CANARY@localhost/x", "expected a URL such as").await;
    check("sqlite:///no/such/folder/billfold.db", "the folder /no/such/folder does not exist").await;
    check("postgres://user:CANARY@127.0.0.1:1/x", "cannot be opened").await;
    check("postgres://user:CANARY@db.example.com/x?sslmode=prefer", "use sslmode=require").await;
    check("postgres://user:CANARY@127.0.0.1/x?nonsense=1", "unknown option").await;
}
