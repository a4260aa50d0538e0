//! What the customer's browser brings back for the gateway to judge. Pure.

use serde::{Deserialize, Serialize};
use url::form_urlencoded;

/// The gateway's values have up to some thousand characters.
const MOST: usize = 8192;

/// The parameters of a return that the gateway can be asked with. Anyone can write them.
#[derive(Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Evidence {
    /// The gateway's id of a session, which need not be the customer's own.
    pub(crate) session_id: Option<String>,
    /// The encrypted result of that session.
    pub(crate) session_result: Option<String>,
    /// The encrypted result of a redirect, such as that of a bank's page.
    pub(crate) redirect_result: Option<String>,
}

impl Evidence {
    /// From the query of a return; `None` when it holds nothing to ask with.
    pub(crate) fn from_query(query: &str) -> Option<Self> {
        let one = |name: &str| {
            let mut given = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
            let (Some((_, only)), None) = (given.next(), given.next()) else { return None };
            Some(only.into_owned()).filter(|value| !value.is_empty() && value.len() <= MOST)
        };
        let session_id = one("sessionId").filter(|id| is_session_id(id));
        // One is of no use without the other.
        let session_result = session_id.as_ref().and_then(|_| one("sessionResult"));
        let session_id = session_id.filter(|_| session_result.is_some());
        let found = Self { session_id, session_result, redirect_result: one("redirectResult") };
        (found != Self::default()).then_some(found)
    }

    /// The text that core carries from the return to the next question.
    pub(crate) fn to_text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// From [`Evidence::to_text`]; nothing when it is not.
    pub(crate) fn from_text(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// An id of the gateway's sessions, fit for a path.
pub(crate) fn is_session_id(id: &str) -> bool {
    id.len() <= 64 && id.starts_with("CS") && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(query: &str, session: Option<(&str, &str)>, redirect: Option<&str>) {
        let found = Evidence::from_query(query).unwrap_or_default();
        let expected = Evidence {
            session_id: session.map(|(id, _)| id.to_owned()),
            session_result: session.map(|(_, result)| result.to_owned()),
            redirect_result: redirect.map(str::to_owned),
        };
        assert_eq!(found, expected, "{query}");
        assert_eq!(Evidence::from_text(found.to_text().as_deref()), found);
    }

    #[test]
    fn only_what_the_gateway_can_be_asked_with_is_taken() {
        check("sessionId=CS12&sessionResult=a%21b%3D", Some(("CS12", "a!b=")), None);
        check("a=b&redirectResult=X6X&sessionId=CS12", None, Some("X6X"));
        check("sessionId=CS12&sessionResult=r&redirectResult=x", Some(("CS12", "r")), Some("x"));
        check("sessionResult=r", None, None);
        check("sessionId=CS12&sessionId=CS13&sessionResult=r", None, None);
        check("sessionId=CS12&sessionResult=r&sessionResult=s", None, None);
        check("sessionId=CS12/../x&sessionResult=r", None, None);
        check("sessionId=&sessionResult=&redirectResult=", None, None);
        check(&format!("redirectResult={}", "x".repeat(MOST + 1)), None, None);
        assert!(Evidence::from_query("status=completed").is_none());
        assert!(Evidence::from_text(Some("not JSON")) == Evidence::default());
    }

    proptest! {
        #[test]
        fn no_query_panics(query in ".{0,200}") {
            let found = Evidence::from_query(&query);
            prop_assert!(found.is_none_or(|found| found.session_id.is_none_or(|id| is_session_id(&id))));
        }
    }
}
