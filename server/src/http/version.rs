//! Both ends speak one protocol, or say which end to update.

use axum::{
    extract::Request,
    http::{HeaderMap, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use protocol::{
    PROTOCOL,
    http::{ErrorCode, PROTOCOL_HEADER},
};

use super::error::{Refusal, refuse};

/// A layer for everything the app asks.
pub async fn check(request: Request, next: Next) -> Response {
    match compare(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// WebSockets may come without the header (`/sip` is opened by any softphone); a wrong one is refused there too.
fn compare(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let spoken = match headers.get(PROTOCOL_HEADER) {
        None if method == Method::GET => return Ok(()),
        None => None,
        Some(value) => value.to_str().ok().and_then(|text| text.parse::<u32>().ok()),
    };
    match spoken {
        None => Err(refuse(
            ErrorCode::Invalid,
            format!("The header {PROTOCOL_HEADER} is missing or not a number; a fault of the app"),
        )),
        Some(PROTOCOL) => Ok(()),
        Some(older) if older < PROTOCOL => {
            Err(refuse(ErrorCode::UpdateApp, "This app is too old for the server. Update the app"))
        }
        Some(_) => Err(refuse(
            ErrorCode::UpdateServer,
            "This app is newer than the server. Ask the organiser to update the server",
        )),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn compared(method: &Method, header: Option<&'static str>) -> Option<ErrorCode> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(PROTOCOL_HEADER, HeaderValue::from_static(header));
        }
        compare(method, &headers).err().map(|refusal| refusal.0.code)
    }

    #[test]
    fn another_major_says_which_end_to_update() {
        assert_eq!(compared(&Method::POST, Some("1")), None);
        assert_eq!(compared(&Method::POST, Some("0")), Some(ErrorCode::UpdateApp));
        assert_eq!(compared(&Method::POST, Some("2")), Some(ErrorCode::UpdateServer));
        assert_eq!(compared(&Method::POST, Some("one")), Some(ErrorCode::Invalid));
        assert_eq!(compared(&Method::POST, None), Some(ErrorCode::Invalid));
        assert_eq!(compared(&Method::GET, None), None);
        assert_eq!(compared(&Method::GET, Some("2")), Some(ErrorCode::UpdateServer));
    }
}
