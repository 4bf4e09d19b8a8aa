//! attempts: rows and their queries.
