//! What a charge is called at the gateway: our id, and a word when its money is only held. A standard webhook's
//! signature covers the name, so that AUTHORISATION says what it means without anybody being asked. Pure.

use billfold_core::charge::CaptureMode;
use billfold_core::id::ChargeId;

/// What the name of a charge ends in whose money is captured by a second call.
const HELD: &str = "-held";

/// The name of a charge.
pub(crate) fn name(charge: &str, capture: CaptureMode) -> String {
    match capture {
        CaptureMode::Automatic => charge.to_owned(),
        CaptureMode::Manual => format!("{charge}{HELD}"),
    }
}

/// The charge of this name, and when its money is taken; `None` for what is none of ours.
pub(crate) fn read(name: &str) -> Option<(String, CaptureMode)> {
    let (id, capture) = match name.strip_suffix(HELD) {
        Some(id) => (id, CaptureMode::Manual),
        None => (name, CaptureMode::Automatic),
    };
    id.parse::<ChargeId>().ok().map(|id| (id.to_string(), capture))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHARGE: &str = "chg_018f0000000070008000000000000001";

    #[test]
    fn a_name_is_read_as_it_was_given() {
        for capture in [CaptureMode::Automatic, CaptureMode::Manual] {
            let name = name(CHARGE, capture);
            assert_eq!(read(&name), Some((CHARGE.to_owned(), capture)));
            assert!(name.len() <= 80 && !name.contains(':'), "{name}");
        }
        for other in ["", "-held", "order-7", "ses_018f0000000070008000000000000001", "chg_1-held-held"] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(read(&format!("{CHARGE}:0")), None);
    }
}
