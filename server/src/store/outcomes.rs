//! outcomes: rows and their queries.
