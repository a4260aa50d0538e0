//! What came of a use case, and what its caller has to know to make something of it.

use billfold_core::EventView;
use billfold_core::id::{PaymentMethodId, SessionId};
use billfold_core::view::{ChargeView, PaymentMethodView, SessionView};
use billfold_core::{Attempt, ErrorKind, Result};

/// The end of a task.
pub(super) enum Told {
    /// A session was looked at.
    Looked { answer: Result<SessionView> },
    /// A session was started.
    Session { merchant: usize, payer: usize, answer: Result<SessionView> },
    /// A session was canceled.
    Canceled { session: SessionId, answer: Result<SessionView> },
    /// A customer's methods were listed.
    Methods { merchant: usize, answer: Result<Vec<PaymentMethodView>> },
    /// A method was deleted.
    Deleted { merchant: usize, method: PaymentMethodId, answer: Result<()> },
    /// A customer was erased, or is being erased.
    Erased { merchant: usize, payer: usize, answer: Result<()> },
    /// The merchant read on in the events.
    Events { merchant: usize, after: i64, answer: Result<Vec<EventView>> },
    /// A charge was ordered, with all that were made for it.
    Charged { order: usize, answer: Result<(ChargeView, Vec<Attempt>)> },
    /// Money was ordered to be given back.
    Refunded { order: usize, answer: Result<ChargeView> },
    /// A charge was looked at, captured or canceled.
    Charge { answer: Result<ChargeView> },
    /// A webhook was answered.
    Webhook { number: usize, answer: Result<()> },
    /// Something else was done, so many times.
    Worked { answer: Result<usize> },
}

impl Told {
    /// The end in a few words.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Session { answer, .. } | Self::Looked { answer } => {
                words(answer, |view| format!("{} is {}", short(&view.id.to_string()), view.status.as_str()))
            }
            Self::Canceled { answer, .. } => words(answer, |view| view.status.as_str().to_owned()),
            Self::Methods { answer, .. } => words(answer, |methods| format!("{} methods", methods.len())),
            Self::Deleted { answer, .. } | Self::Erased { answer, .. } | Self::Webhook { answer, .. } => {
                words(answer, |()| "ok".to_owned())
            }
            Self::Events { answer, .. } => words(answer, |events| format!("{} events", events.len())),
            Self::Charged { answer, .. } => words(answer, |(view, _)| charge_words(view)),
            Self::Refunded { answer, .. } | Self::Charge { answer } => words(answer, charge_words),
            Self::Worked { answer } => words(answer, |count| format!("{count} done")),
        }
    }
}

impl Told {
    /// The kind of error that the caller was told, if it was one.
    pub(super) fn error(&self) -> Option<ErrorKind> {
        match self {
            Self::Session { answer, .. } | Self::Looked { answer } | Self::Canceled { answer, .. } => {
                kind(answer)
            }
            Self::Methods { answer, .. } => kind(answer),
            Self::Deleted { answer, .. } | Self::Erased { answer, .. } | Self::Webhook { answer, .. } => {
                kind(answer)
            }
            Self::Events { answer, .. } => kind(answer),
            Self::Charged { answer, .. } => kind(answer),
            Self::Refunded { answer, .. } | Self::Charge { answer } => kind(answer),
            Self::Worked { answer } => kind(answer),
        }
    }
}

fn kind<T>(answer: &Result<T>) -> Option<ErrorKind> {
    answer.as_ref().err().map(billfold_core::Error::kind)
}

fn charge_words(view: &ChargeView) -> String {
    format!(
        "{} is {}, {} taken, {} given back",
        short(&view.id.to_string()),
        view.status.as_str(),
        view.captured_amount,
        view.refunded_amount
    )
}

fn words<T>(answer: &Result<T>, good: impl FnOnce(&T) -> String) -> String {
    match answer {
        Ok(value) => good(value),
        Err(error) => format!("{:?}: {}", error.kind(), error.message()),
    }
}

/// Enough of an id to tell it from others.
pub(super) fn short(id: &str) -> String {
    let (prefix, rest) = id.split_once('_').unwrap_or(("", id));
    format!("{prefix}_{}", rest.get(rest.len().saturating_sub(5)..).unwrap_or(rest))
}
