//! The REST API, webhooks, returns and background workers as a library.
