//! What can go wrong with the database, by who can mend it.

use protocol::http::{ApiError, ErrorCode};

/// Why the database did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// At the start: the file is not there, not ours, or of a newer server.
    #[error("the database could not be opened: {0}")]
    Open(String),
    /// The disk is full or read-only, or the file is locked by another program. Nothing was changed.
    #[error("the server cannot write to its disk ({0}); nothing was changed")]
    NoStorage(String),
    /// A row like this is there already, or one that it needs is not.
    #[error("the database refused it: {0}")]
    Conflict(String),
    /// A fault of ours.
    #[error("database: {0}")]
    Fault(sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let Some(refusal) = error.as_database_error() else {
            return Self::Fault(error);
        };
        // Result codes of SQLite, https://sqlite.org/rescode.html; the low byte is the primary one.
        let code = refusal.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
        match code {
            Some(5 | 6) => Self::NoStorage("another program has locked the database".into()),
            Some(8) => Self::NoStorage("read-only".into()),
            Some(10 | 14) => Self::NoStorage(refusal.message().to_owned()),
            Some(13) => Self::NoStorage("the disk is full".into()),
            Some(19) => Self::Conflict(refusal.message().to_owned()),
            _ => Self::Fault(error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let (code, message) = match &error {
            StoreError::NoStorage(_) => (
                ErrorCode::NoStorage,
                "The server cannot save anything now. Nothing was changed; tell the organiser".to_owned(),
            ),
            StoreError::Conflict(_) => (
                ErrorCode::WrongState,
                "That does not fit what the server knows; look at the newest state and try again".to_owned(),
            ),
            StoreError::Open(_) | StoreError::Fault(_) => {
                (ErrorCode::Internal, "The server made a mistake. Its log says which".to_owned())
            }
        };
        ApiError::new(code, message)
    }
}
