//! A stolen account is called by the server, as every line is, and answers that it has moved: to a telephone.

use std::time::Duration;

use e2e::{
    child::poll,
    raw_sip::{Request, Stolen},
    world::{World, number},
};
use protocol::http::OpenLine;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_says_it_has_moved_rings_nobody() {
    let world = World::with(&[]).await.unwrap();
    let mallory = Stolen::from(&world.server, "Mallory").await.unwrap();
    let mut socket = mallory.open("/sip").await.unwrap();
    let own = format!("sip:{}@ringround", mallory.device);
    let register = Request {
        method: "REGISTER",
        uri: "sip:ringround",
        to: &own,
        headers: "Expires: 60\r\n",
        ..Request::default()
    };
    assert_eq!(socket.ask(register).await.unwrap(), Some(200));
    mallory.api.post::<Value>("/api/session/start", &json!({})).await.unwrap();

    let (victim, provider) = (number(0, 77), world.provider.address());
    let nowhere = format!("sip:{victim}@{provider}");
    for (which, moved_to) in [
        format!("sip:PJSIP/{victim}%40trunk@ringround"),
        format!("sip:PJSIP%2F{victim}%40trunk@ringround"),
        format!("sip:{victim}@ringround"),
        format!("sip:PJSIP/trunk/sip%3A{victim}%40{provider}@ringround"),
        format!("sip:Local/{victim}%40stasis-ringround@ringround"),
        nowhere,
    ]
    .into_iter()
    .enumerate()
    {
        for status in ["302 Moved Temporarily", "301 Moved Permanently", "300 Multiple Choices"] {
            let token = format!("{which:030}{}", &status[1..3]);
            mallory.api.post::<Value>("/api/line", &OpenLine { token: token.clone() }).await.unwrap();
            let invite = socket.invited(Duration::from_secs(5)).await.unwrap().expect("the line's INVITE");
            assert!(invite.contains(&format!("X-Line-Token: {token}\r\n")), "{invite}");
            socket.reply(&invite, status, &format!("Contact: <{moved_to}>\r\n")).await.unwrap();
            let none = || async { world.node.channels().await.unwrap().is_empty() };
            poll("an end of the line", Duration::from_secs(15), none).await.unwrap();
            let arrivals = world.provider.records().arrivals().unwrap();
            assert!(arrivals.is_empty(), "{moved_to} was rung: {arrivals:?}");
        }
    }
}
