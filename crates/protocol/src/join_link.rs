//! `ringround://join/?s=https://host:8443&t=<128 bit>&ca=<base64url SHA-256>`

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use url::Url;

/// What an invitation link says. The token is a secret: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinLink {
    /// The server's origin, `https://host:8443`.
    pub server: Url,
    /// Spent at first use; 128 bits, base64url.
    pub token: String,
    /// SHA-256 of the authority's public key (SubjectPublicKeyInfo, DER); `None`: the system's authorities.
    pub authority: Option<[u8; 32]>,
}

/// Why a text is not an invitation link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// Not a URL, or another program's.
    #[error("This is not an invitation link. It starts with ringround://join")]
    NotALink,
    /// A part is missing or damaged.
    #[error("Part of this link is missing ({0}). Copy the whole of it")]
    Part(&'static str),
    /// The server is not reached over TLS.
    #[error("This link's server is not secure: it must start with https://")]
    NotSecure,
}

const LONGEST: usize = 2_000;

impl JoinLink {
    /// Reads a link, clicked or pasted; spaces and line ends around it are ignored.
    ///
    /// # Errors
    /// [`BadLink`], in words for the volunteer.
    pub fn parse(text: &str) -> Result<Self, BadLink> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(BadLink::NotALink);
        }
        let link = Url::parse(text).map_err(|_| BadLink::NotALink)?;
        if link.scheme() != "ringround" || link.host_str() != Some("join") {
            return Err(BadLink::NotALink);
        }
        let part =
            |name: &str| link.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let server = part("s").and_then(|s| Url::parse(&s).ok()).ok_or(BadLink::Part("server"))?;
        if server.scheme() != "https" {
            return Err(BadLink::NotSecure);
        }
        if server.host_str().is_none() || !server.username().is_empty() || server.password().is_some() {
            return Err(BadLink::Part("server"));
        }
        let token = part("t").filter(|t| URL_SAFE_NO_PAD.decode(t).is_ok_and(|bytes| bytes.len() == 16));
        let authority = match part("ca") {
            None => None,
            Some(pin) => {
                let bytes = URL_SAFE_NO_PAD.decode(pin).map_err(|_| BadLink::Part("certificate"))?;
                Some(bytes.try_into().map_err(|_| BadLink::Part("certificate"))?)
            }
        };
        let origin = server.origin().ascii_serialization();
        let server = Url::parse(&origin).map_err(|_| BadLink::Part("server"))?;
        Ok(Self { server, token: token.ok_or(BadLink::Part("token"))?, authority })
    }

    /// The link as text.
    pub fn text(&self) -> String {
        let origin = self.server.origin().ascii_serialization();
        let mut link = format!("ringround://join/?s={origin}&t={}", self.token);
        if let Some(pin) = self.authority {
            link.push_str("&ca=");
            link.push_str(&URL_SAFE_NO_PAD.encode(pin));
        }
        link
    }
}

impl std::fmt::Debug for JoinLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JoinLink to {}", self.server.origin().ascii_serialization())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> JoinLink {
        JoinLink {
            server: Url::parse("https://calls.example:8443").expect("url"),
            token: URL_SAFE_NO_PAD.encode([7; 16]),
            authority: Some([9; 32]),
        }
    }

    #[test]
    fn a_link_reads_back_as_it_was_written() {
        assert_eq!(JoinLink::parse(&format!("  {}\n", link().text())), Ok(link()));
        let public = JoinLink { authority: None, ..link() };
        assert_eq!(JoinLink::parse(&public.text()), Ok(public));
    }

    #[test]
    fn a_damaged_link_says_which_part() {
        let text = link().text();
        assert_eq!(JoinLink::parse("https://calls.example"), Err(BadLink::NotALink));
        assert_eq!(JoinLink::parse(&text.replace("&t=", "&x=")), Err(BadLink::Part("token")));
        assert_eq!(JoinLink::parse(&text[..text.len() - 3]), Err(BadLink::Part("certificate")));
        assert_eq!(JoinLink::parse(&text.replace("https://", "http://")), Err(BadLink::NotSecure));
        assert!(!format!("{:?}", link()).contains(&link().token), "the token is a secret");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}", tail in ".{0,80}") {
            let _ = JoinLink::parse(&text);
            if let Ok(link) = JoinLink::parse(&format!("ringround://join/?{tail}")) {
                proptest::prop_assert_eq!(JoinLink::parse(&link.text()), Ok(link));
            }
        }
    }
}
