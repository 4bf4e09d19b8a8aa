//! Digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760): MD5 and SHA-256.

use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::message::elements;
use super::{Headers, token};
use crate::settings::Account;

/// What a registrar asks for in one WWW-Authenticate or Proxy-Authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    qop: bool,
    proxy: bool,
    pub(crate) stale: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Challenge {
    /// The strongest challenge of a 401 or 407 that we can answer.
    pub(crate) fn strongest(headers: &Headers) -> Option<Self> {
        let of = |name: &str, proxy: bool| {
            headers.all(name).into_iter().filter_map(move |value| Self::read(&value, proxy))
        };
        of("WWW-Authenticate", false)
            .chain(of("Proxy-Authenticate", true))
            .max_by_key(|challenge| challenge.algorithm)
    }

    fn read(value: &str, proxy: bool) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let pairs = elements(rest);
        let find = |name: &str| {
            pairs.iter().find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                let value = value.trim().trim_matches('"').replace("\\\"", "\"");
                key.trim().eq_ignore_ascii_case(name).then_some(value)
            })
        };
        let algorithm = match find("algorithm").unwrap_or_default().to_ascii_uppercase().as_str() {
            "" | "MD5" => Algorithm::Md5,
            "SHA-256" => Algorithm::Sha256,
            _ => return None,
        };
        let qop = match find("qop") {
            None => false,
            Some(offered) if offered.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return None,
        };
        Some(Self {
            realm: find("realm")?,
            nonce: find("nonce")?,
            opaque: find("opaque"),
            algorithm,
            qop,
            proxy,
            stale: find("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// Name and value of the header that answers it.
    pub(crate) fn answer(&self, account: &Account, method: &str, uri: &str) -> (&'static str, String) {
        self.answer_with(account, method, uri, &token(8))
    }

    fn answer_with(
        &self,
        account: &Account,
        method: &str,
        uri: &str,
        cnonce: &str,
    ) -> (&'static str, String) {
        let hash = |text: &str| match self.algorithm {
            Algorithm::Md5 => hex(&Md5::digest(text)),
            Algorithm::Sha256 => hex(&Sha256::digest(text)),
        };
        let Self { realm, nonce, .. } = self;
        let user = &account.username;
        let ha1 = hash(&format!("{user}:{realm}:{}", account.password.reveal()));
        let ha2 = hash(&format!("{method}:{uri}"));
        let response = if self.qop {
            hash(&format!("{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}"))
        } else {
            hash(&format!("{ha1}:{nonce}:{ha2}"))
        };
        let name = match self.algorithm {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        };
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\", algorithm={name}",
            quoted(user),
            quoted(realm),
            quoted(nonce)
        );
        if self.qop {
            value += &format!(", qop=auth, nc=00000001, cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque=\"{}\"", quoted(opaque));
        }
        (if self.proxy { "Proxy-Authorization" } else { "Authorization" }, value)
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::settings::Secret;
    use proptest::prelude::*;

    // The example of RFC 7616 section 3.9.1.
    fn answer(algorithm: &str) -> String {
        let account = Account {
            username: "Mufasa".into(),
            password: Secret::new("Circle of Life"),
            domain: "example.org".into(),
        };
        let challenge = Challenge::read(
            &format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            ),
            false,
        );
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        challenge.unwrap().answer_with(&account, "GET", "/dir/index.html", cnonce).1
    }

    #[test]
    fn the_examples_of_the_rfc_come_out() {
        assert!(answer("MD5").contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""));
        let sha = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(answer("SHA-256").contains(&format!("response=\"{sha}\"")));
    }

    #[test]
    fn the_strongest_that_we_know_is_taken() {
        let mut headers = Headers::default();
        headers.push("WWW-Authenticate", "Digest realm=\"a\", nonce=\"1\", algorithm=SHA-512-256");
        headers.push("WWW-Authenticate", "Digest realm=\"a\", nonce=\"2\", algorithm=MD5");
        headers.push("WWW-Authenticate", "Digest realm=\"a\", nonce=\"3\", algorithm=SHA-256, qop=\"auth\"");
        assert_eq!(Challenge::strongest(&headers).unwrap().nonce, "3");
    }

    proptest! {
        #[test]
        fn no_challenge_makes_it_panic(text in "(Digest )?\\PC{0,120}") {
            let _ = Challenge::read(&text, false);
        }
    }
}
