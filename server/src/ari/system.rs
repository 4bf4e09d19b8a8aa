//! Asterisk itself, and what stands around it.

use std::future::Future;

use serde_json::Value;

use super::{Ari, AriError, Malformed, Request};

/// Whether the far end of an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reachable {
    /// It answered our OPTIONS, or registered.
    Yes,
    /// It did not.
    No,
    /// Asterisk does not ask it (`qualify_frequency` is 0).
    NotAsked,
}

impl Ari {
    /// Asterisk's version, `22.10.1`.
    pub fn version(&self) -> impl Future<Output = Result<String, AriError>> + Send + use<> {
        let answer = self.ask(Request::new("GET", "asterisk/info"));
        async move {
            let answer = answer.await?;
            let version = answer.body.pointer("/system/version").and_then(Value::as_str);
            Ok(version.ok_or(Malformed("asterisk/info without a version"))?.to_owned())
        }
    }

    /// Whether an endpoint's far end answers. A fault of the configuration if it is unknown.
    pub fn reachable(
        &self,
        endpoint: &str,
    ) -> impl Future<Output = Result<Reachable, AriError>> + Send + use<> {
        let answer = self.ask(Request::new("GET", format!("endpoints/PJSIP/{endpoint}")));
        async move {
            let answer = answer.await?;
            match answer.body.get("state").and_then(Value::as_str) {
                Some("online") => Ok(Reachable::Yes),
                Some("offline") => Ok(Reachable::No),
                Some(_) => Ok(Reachable::NotAsked),
                None => Err(Malformed("an endpoint without a state").into()),
            }
        }
    }

    /// Where calls of an address of record go, `sip:127.0.0.1:5070`.
    pub fn contacts_of(
        &self,
        aor: &str,
    ) -> impl Future<Output = Result<Vec<String>, AriError>> + Send + use<> {
        let answer = self.ask(Request::new("GET", format!("asterisk/config/dynamic/res_pjsip/aor/{aor}")));
        async move {
            let answer = answer.await?;
            let fields = answer.body.as_array().ok_or(Malformed("fields are not a list"))?;
            let value = |field: &Value| field.get("value").and_then(Value::as_str).map(str::to_owned);
            let contacts = fields
                .iter()
                .filter(|field| field.get("attribute").and_then(Value::as_str) == Some("contact"))
                .filter_map(value);
            Ok(contacts
                .flat_map(|contact| contact.split(',').map(|uri| uri.trim().to_owned()).collect::<Vec<_>>())
                .filter(|contact| !contact.is_empty())
                .collect())
        }
    }
}
