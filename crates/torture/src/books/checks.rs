//! What the reader compares, each with the promise that is broken when it does not hold.

use std::fmt;

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident: $promise:literal,)*) => {
        /// One comparison.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Check {
            $($(#[$doc])* $name,)*
        }

        impl Check {
            /// Every comparison that the reader makes.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The promise behind it, as `docs/reliability.md` numbers them.
            pub(crate) const fn promise(self) -> &'static str {
                match self {
                    $(Self::$name => $promise,)*
                }
            }
        }
    };
}

checks! {
    /// The inbox holds every webhook that was acknowledged.
    Acknowledged: "I1",
    /// No webhook waits, here or at the gateway.
    Waiting: "I2",
    /// No webhook was given up.
    GivenUp: "I2",
    /// A customer whom the gateway told of success has a completed session.
    SavedNotCompleted: "I3",
    /// A completed session has one method, another none.
    MethodCount: "I3",
    /// A method is of the session's customer.
    ForeignMethod: "I3",
    /// No token is saved twice.
    TokenTwice: "I3",
    /// An active method has a token.
    NoToken: "I4",
    /// The sealed token that a method names is there.
    NoRecord: "I4",
    /// The gateway knows the token behind a method.
    UnknownToken: "I4",
    /// A session is completed here where it is there.
    SessionState: "I5",
    /// A method is active here where its token is there.
    MethodState: "I5",
    /// A charge that was paid there is paid here.
    ChargeState: "I5",
    /// What was told as completed is completed.
    Regressed: "I6",
    /// What the merchant was told under one number is one thing.
    SequenceTwice: "I6",
    /// A change has one event.
    EventCount: "I7",
    /// The merchant heard of each event.
    Unheard: "I7",
    /// The merchant heard of no other.
    Invented: "I7",
    /// Nothing that goes out is still to be sent.
    Undelivered: "I7",
    /// A session that was answered is there.
    AnswerGone: "I8",
    /// One key was answered with one session.
    TwoAnswers: "I8",
    /// A charge that was answered is there.
    ChargeAnswerGone: "I8",
    /// What is sealed opens.
    Sealed: "I9",
    /// The audit trail verifies.
    Audited: "I10",
    /// No secret is in a row.
    SecretInRow: "I11",
    /// No secret is in a file.
    SecretInFile: "I11",
    /// A row that is named is there, and of the same tenant.
    ForeignRow: "I12",
    /// A session at the gateway is known here.
    UnknownSession: "I13",
    /// A charge at the gateway is known here.
    UnknownCharge: "I13",
    /// No request is still marked as running.
    Running: "I14",
    /// An intent has one session that can be used, and no more than requests.
    SessionsOfIntent: "I15",
    /// Nobody completed a session by a link that nobody was given.
    ForgottenLink: "I15",
    /// The gateway has no more sessions than were wanted.
    TooManySessions: "I15",
    /// An erasure that was answered is done.
    ErasureUndone: "I16",
    /// The audit trail says who asked for it, and that it was done.
    ErasureUnaudited: "I16",
    /// The ledger beside the database holds it.
    ErasureUnledgered: "I16",
    /// The token of who was erased is gone at the gateway, or the erasure says that it is not.
    TokenAlive: "I16",
    /// Nothing of who was erased is in a row.
    TraceInRow: "I16",
    /// Nothing of who was erased is in the database's files.
    TraceInFile: "I16",
    /// A charge is one charge at the gateway.
    ChargedTwice: "I17",
    /// As many charges are stored as were wanted.
    ChargeCount: "I17",
    /// A charge is of the amount that was asked for.
    ChargeAmount: "I17",
    /// The gateway took that amount.
    TakenAmount: "I17",
    /// A charge with an end is one that the gateway heard of.
    NeverHeard: "I17",
}

/// A comparison that did not hold.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) check: Check,
    text: String,
}

impl Problem {
    pub(crate) fn new(check: Check, text: impl Into<String>) -> Self {
        Self { check, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check.promise(), self.text)
    }
}

/// Problems, the first few of them in words.
pub(crate) fn told(problems: &[Problem]) -> String {
    let first: Vec<String> = problems.iter().take(5).map(Problem::to_string).collect();
    format!("{} problems: {}", problems.len(), first.join("; "))
}
