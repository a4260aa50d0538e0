//! Contract suites, fakes and throw-away databases for Billfold providers and stores.
