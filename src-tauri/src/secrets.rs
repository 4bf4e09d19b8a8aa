//! The system's keyring: the one seam over it. A secret is there, or in memory for this run; never in a file.
//!
//! Every call may block for as long as the keyring's password window is open, so it runs on a thread of its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

/// The service that the entries belong to; the same as the app's identifier.
const SERVICE: &str = "org.ringround.desktop";

/// Opens the system's store anew.
pub type OpenStore = fn() -> Result<Arc<CredentialStore>, Error>;

/// The secrets of this app.
#[derive(Clone)]
pub struct Secrets(Arc<Mutex<Inner>>);

struct Inner {
    open: OpenStore,
    store: Option<Arc<CredentialStore>>,
    memory: HashMap<String, Zeroizing<String>>,
}

/// The keyring cannot be used; what was to be kept is in memory for this run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keyring cannot be used: {why}")]
pub struct NoKeyring {
    /// The system's reason.
    pub why: String,
}

impl Secrets {
    /// Nothing is opened yet.
    pub fn new(open: OpenStore) -> Self {
        Self(Arc::new(Mutex::new(Inner { open, store: None, memory: HashMap::new() })))
    }

    /// The secret of that name; `None` only when an open keyring has none.
    ///
    /// # Errors
    /// [`NoKeyring`]: then nobody knows whether there is one.
    pub async fn read(&self, name: String) -> Result<Option<Zeroizing<String>>, NoKeyring> {
        self.blocking(move |inner| {
            if let Some(kept) = inner.memory.get(&name) {
                return Ok(Some(kept.clone()));
            }
            match inner.with(&name, Entry::get_password) {
                Ok(secret) => Ok(Some(Zeroizing::new(secret))),
                Err(Error::NoEntry) => Ok(None),
                Err(error) => Err(NoKeyring { why: error.to_string() }),
            }
        })
        .await
    }

    /// Keeps a secret.
    ///
    /// # Errors
    /// [`NoKeyring`]: it is in memory, and gone at the end of this run.
    pub async fn keep(&self, name: String, secret: Zeroizing<String>) -> Result<(), NoKeyring> {
        self.blocking(move |inner| inner.keep(name, secret)).await
    }

    /// Forgets a secret; that there was none is as good.
    ///
    /// # Errors
    /// [`NoKeyring`].
    pub async fn forget(&self, name: String) -> Result<(), NoKeyring> {
        self.blocking(move |inner| {
            inner.memory.remove(&name);
            match inner.with(&name, Entry::delete_credential) {
                Ok(()) | Err(Error::NoEntry) => Ok(()),
                Err(error) => Err(NoKeyring { why: error.to_string() }),
            }
        })
        .await
    }

    /// Tries to move into the keyring what is only in memory.
    ///
    /// # Errors
    /// [`NoKeyring`]: it stays in memory.
    pub async fn keep_now(&self) -> Result<(), NoKeyring> {
        self.blocking(|inner| {
            let mut kept = inner.memory.clone().into_iter();
            kept.try_for_each(|(name, secret)| inner.keep(name, secret))
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> Result<T, NoKeyring> + Send + 'static,
    ) -> Result<T, NoKeyring> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&mut lock(&inner)))
            .await
            .unwrap_or_else(|error| Err(NoKeyring { why: error.to_string() }))
    }
}

impl Inner {
    fn keep(&mut self, name: String, secret: Zeroizing<String>) -> Result<(), NoKeyring> {
        match self.with(&name, |entry| entry.set_password(&secret)) {
            Ok(()) => {
                self.memory.remove(&name);
                Ok(())
            }
            Err(error) => {
                self.memory.insert(name, secret);
                Err(NoKeyring { why: error.to_string() })
            }
        }
    }

    /// A store opened before the service came, or before it restarted, stays broken: open it once more.
    fn with<T>(&mut self, name: &str, work: impl Fn(&Entry) -> Result<T, Error>) -> Result<T, Error> {
        match self.once(name, &work) {
            Err(Error::PlatformFailure(_)) if self.store.take().is_some() => self.once(name, &work),
            result => result,
        }
    }

    fn once<T>(&mut self, name: &str, work: &impl Fn(&Entry) -> Result<T, Error>) -> Result<T, Error> {
        let store = match &self.store {
            Some(store) => Arc::clone(store),
            None => (self.open)()?,
        };
        let result = store.build(SERVICE, name, None).and_then(|entry| work(&entry));
        self.store = Some(store);
        result
    }
}

/// The worst that a panicking thread leaves behind is a store that is opened anew.
fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The Secret Service of the session bus.
///
/// # Errors
/// When there is no bus, or nobody serves it.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn system_store() -> Result<Arc<CredentialStore>, Error> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

/// The system's own store, chosen by `keyring`.
///
/// # Errors
/// When the system has none.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn system_store() -> Result<Arc<CredentialStore>, Error> {
    if let Err(error) = keyring::Entry::store_status() {
        return Err(Error::NotSupportedByStore(error.to_string()));
    }
    keyring_core::get_default_store().ok_or(Error::NoDefaultStore)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::{
        sync::{
            Condvar,
            atomic::{AtomicBool, Ordering},
        },
        time::{Duration, Instant},
    };

    use super::*;

    fn mock() -> Result<Arc<CredentialStore>, Error> {
        Ok(keyring_core::mock::Store::new()?)
    }

    fn none() -> Result<Arc<CredentialStore>, Error> {
        Err(Error::PlatformFailure("ServiceUnknown".into()))
    }

    #[tokio::test]
    async fn what_was_kept_is_read_until_it_is_forgotten() {
        let secrets = Secrets::new(mock);
        assert_eq!(secrets.read("key".into()).await, Ok(None));
        secrets.keep("key".into(), Zeroizing::new("one".into())).await.unwrap();
        secrets.keep("key".into(), Zeroizing::new("two".into())).await.unwrap();
        assert_eq!(secrets.read("key".into()).await.unwrap().unwrap().as_str(), "two");
        secrets.forget("key".into()).await.unwrap();
        secrets.forget("key".into()).await.unwrap();
        assert_eq!(secrets.read("key".into()).await, Ok(None));
    }

    #[tokio::test]
    async fn without_a_keyring_nobody_is_told_that_there_is_no_secret() {
        let secrets = Secrets::new(none);
        let error = secrets.read("key".into()).await.unwrap_err();
        assert!(error.why.contains("ServiceUnknown"), "{error}");
        assert!(secrets.keep("key".into(), Zeroizing::new("one".into())).await.is_err());
        assert_eq!(
            secrets.read("key".into()).await.unwrap().unwrap().as_str(),
            "one",
            "it is in memory for this run"
        );
    }

    static SERVED: AtomicBool = AtomicBool::new(false);

    fn served_later() -> Result<Arc<CredentialStore>, Error> {
        if SERVED.load(Ordering::Relaxed) { mock() } else { none() }
    }

    #[tokio::test]
    async fn a_keyring_that_comes_later_takes_what_was_in_memory() {
        let secrets = Secrets::new(served_later);
        assert!(secrets.keep("key".into(), Zeroizing::new("one".into())).await.is_err());
        assert!(secrets.keep_now().await.is_err());
        SERVED.store(true, Ordering::Relaxed);
        secrets.keep_now().await.unwrap();
        assert!(lock(&secrets.0).memory.is_empty());
        assert_eq!(secrets.read("key".into()).await.unwrap().unwrap().as_str(), "one");
    }

    static PASSWORD_WINDOW: (Mutex<Window>, Condvar) = (Mutex::new(Window::NotAsked), Condvar::new());

    #[derive(PartialEq)]
    enum Window {
        NotAsked,
        Open,
        Closed,
    }

    /// A keyring behind a password window, which is closed without a password.
    fn asks_for_a_password() -> Result<Arc<CredentialStore>, Error> {
        let (window, changed) = &PASSWORD_WINDOW;
        let mut window = window.lock().unwrap();
        if *window == Window::NotAsked {
            *window = Window::Open;
            changed.notify_all();
        }
        let open = |window: &mut Window| *window == Window::Open;
        drop(changed.wait_timeout_while(window, Duration::from_secs(5), open).unwrap());
        none()
    }

    /// On one thread: whoever waits on it for the keyring stops all that runs.
    #[tokio::test]
    async fn a_password_window_stops_nothing_else() {
        let (window, changed) = &PASSWORD_WINDOW;
        let secrets = Secrets::new(asks_for_a_password);
        let keeping = secrets.clone();
        let kept =
            tokio::spawn(async move { keeping.keep("key".into(), Zeroizing::new("one".into())).await });
        tokio::task::spawn_blocking(|| {
            let asked = |window: &mut Window| *window == Window::NotAsked;
            drop(changed.wait_timeout_while(window.lock().unwrap(), Duration::from_secs(5), asked).unwrap());
        })
        .await
        .unwrap();
        let began = Instant::now();
        let now = tokio::time::timeout(Duration::from_millis(50), secrets.keep_now()).await;
        assert!(now.is_err() && began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        *window.lock().unwrap() = Window::Closed;
        changed.notify_all();
        assert!(kept.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_store_that_broke_is_opened_anew() {
        let secrets = Secrets::new(mock);
        assert_eq!(secrets.read("key".into()).await, Ok(None));
        let broken = keyring_core::mock::Store::new().unwrap();
        let entry = keyring_core::api::CredentialStoreApi::build(&*broken, SERVICE, "key", None).unwrap();
        let credential: &keyring_core::mock::Cred = entry.as_any().downcast_ref().unwrap();
        credential.set_error(Error::PlatformFailure("the service restarted".into()));
        lock(&secrets.0).store = Some(broken);
        assert_eq!(secrets.read("key".into()).await, Ok(None));
    }
}
