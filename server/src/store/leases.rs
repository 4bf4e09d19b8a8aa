//! leases: rows and their queries.
