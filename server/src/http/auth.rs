//! Who asks: the bearer token of a sign-in, as a handler's argument.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use protocol::http::ErrorCode;

use super::{
    error::{Refusal, refuse},
    places::Standing,
};
pub use crate::store::sign_ins::SignedInDevice;
use crate::{app::Shared, secret, store::sign_ins::TokenState};

impl FromRequestParts<Shared> for SignedInDevice {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Refusal> {
        let Some(token) = bearer(&parts.headers) else {
            return Err(sign_in_again());
        };
        match app.store.device_of_token(&secret::hash(token), app.clock.now_ms()).await? {
            TokenState::Valid(device) => {
                if let Some(standing) = parts.extensions.get::<Standing>() {
                    standing.signed_in(device.id);
                }
                app.limits.request(device.id, app.clock.now_ms())?;
                Ok(device)
            }
            TokenState::Revoked => {
                Err(refuse(ErrorCode::DeviceRevoked, "This device was switched off by an organiser"))
            }
            TokenState::Unknown => Err(sign_in_again()),
        }
    }
}

/// Whether the sign-in of a request has ended since it was looked at. To be asked after what the
/// request opens can be found by who ends sign-ins: a revocation then either finds it, or is found.
pub async fn has_ended(app: &Shared, headers: &HeaderMap) -> bool {
    let Some(token) = bearer(headers) else { return true };
    let state = app.store.device_of_token(&secret::hash(token), app.clock.now_ms()).await;
    !matches!(state, Ok(TokenState::Valid(_)))
}

pub(super) fn sign_in_again() -> Refusal {
    refuse(ErrorCode::SignInAgain, "This sign-in is over; the app signs in again by itself")
}

/// The token of `Authorization: Bearer ...` if it has the form of one of ours: 32 bytes, base64url.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && secret::decode::<32>(token).is_some()).then_some(token)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(value: &[u8]) -> Option<HeaderMap> {
        let value = HeaderValue::from_bytes(value).ok()?;
        Some(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }

    #[test]
    fn only_a_token_of_ours_is_read() {
        let token = secret::random::<32>();
        let good = headers(format!("Bearer {token}").as_bytes()).expect("header");
        assert_eq!(bearer(&good), Some(token.as_str()));
        for bad in [format!("Basic {token}"), "Bearer".into(), format!("Bearer {token}A"), "Bearer  ".into()]
        {
            assert_eq!(bearer(&headers(bad.as_bytes()).expect("header")), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(value in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            if let Some(headers) = headers(&value) {
                let _ = bearer(&headers);
            }
        }
    }
}
