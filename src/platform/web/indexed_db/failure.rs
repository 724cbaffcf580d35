use crate::base::{Code, Error};
use crate::platform::web::dom::Exception;

/// Why a transaction did not complete.
pub(super) enum Failure {
    /// Nothing was written, and the connection is sound.
    Refused(Error),
    /// Nothing was written: the storage says that it is full, which may be true.
    Full(Exception),
    /// Nothing was written: the connection died before the commit was asked for.
    Lost(Exception),
    /// Nothing was written: the transaction did not get to its commit in time.
    Stalled(Exception),
    /// The commit was asked for, and nobody can say what became of it.
    Unknown(Exception),
}

impl Failure {
    /// The failure that an exception means. Where the commit had been asked for, only a name that says why
    /// the browser refused is an answer; the others may tell of a connection that died under it.
    pub(super) fn of(exception: Exception, committing: bool) -> Self {
        match exception.name.as_str() {
            "ConstraintError" => Self::refused(
                Code::StorageConflict,
                "a row that was to be added exists already: read again, then try again",
                &exception,
            ),
            "QuotaExceededError" => Self::Full(exception),
            _ if is_loss(&exception) && committing => Self::Unknown(exception),
            _ if is_loss(&exception) => Self::Lost(exception),
            _ => Self::refused(Code::StorageFailed, "IndexedDB refused a transaction", &exception),
        }
    }

    /// The failure of a transaction that does not end.
    pub(super) fn stalled(committing: bool) -> Self {
        let message = "the transaction stalled: another tab or the browser holds the database".to_string();
        let exception = Exception { name: "TimeoutError".to_string(), message };
        if committing { Self::Unknown(exception) } else { Self::Stalled(exception) }
    }

    fn refused(code: Code, message: &str, exception: &Exception) -> Self {
        Self::Refused(Error::new(code, format!("{message} ({})", exception.text())))
    }
}

/// True where the exception tells of the connection and not of what was asked: an abort that nobody asked for
/// (`AbortError`), a handle that is closing, a transaction that the engine lost, a server that went away or a
/// backing store that cannot be read (`UnknownError`). Messages differ too much between engines to go by.
fn is_loss(exception: &Exception) -> bool {
    let names =
        ["AbortError", "InvalidStateError", "TransactionInactiveError", "UnknownError", "TimeoutError"];
    names.contains(&exception.name.as_str())
}

/// True where an open fails because there is no IndexedDB for this page: private windows, opaque origins,
/// storage that the user turned off.
pub(super) fn is_missing(exception: &Exception) -> bool {
    let names = ["SecurityError", "InvalidStateError", "NotSupportedError", "NotAllowedError"];
    names.contains(&exception.name.as_str())
}

/// What the `idb` crate wrapped.
pub(super) fn copy(error: &idb::Error) -> Exception {
    match error {
        idb::Error::AddFailed(thrown)
        | idb::Error::CursorKeyNotFound(thrown)
        | idb::Error::CursorValueNotFound(thrown)
        | idb::Error::DeleteFailed(thrown)
        | idb::Error::GetAllKeysFailed(thrown)
        | idb::Error::GetFailed(thrown)
        | idb::Error::IndexedDbOpenFailed(thrown)
        | idb::Error::KeyRangeCreateFailed(thrown)
        | idb::Error::ObjectStoreNotFound(thrown)
        | idb::Error::OpenCursorFailed(thrown)
        | idb::Error::RequestResultNotFound(thrown)
        | idb::Error::UpdateFailed(thrown) => Exception::of(thrown),
        _ => Exception::named("UnknownError"),
    }
}
