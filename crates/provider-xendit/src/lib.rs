//! Saves payment methods through Xendit Payment Sessions.
