//! SQLite and PostgreSQL behind billfold-core's Store trait.
