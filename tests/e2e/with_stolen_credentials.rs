//! What can be done with a volunteer's secrets, or with none: no call. The provider records none, nothing is left
//! in Asterisk, and the others go on calling.

use std::time::Duration;

use e2e::{
    api::{Api, Failure},
    child::poll,
    pbx::Node,
    raw_sip::{OFFER, Request, Socket, Stolen},
    volunteer::{Volunteer, press, spend},
    world::{World, number},
};
use protocol::{
    http::{Dial, ErrorCode, HangUp, OpenLine, PROTOCOL_HEADER, Settle, SettleLease},
    ids::DeviceId,
    outcome::Outcome,
    session::Session,
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

fn talks(volunteer: &Volunteer) -> bool {
    volunteer.desk().is_ok_and(|desk| matches!(desk.session, Session::Talking { .. }))
}

/// A call's own names, as no thief would know them.
struct Dialog {
    call_id: String,
    of_asterisk: String,
    of_the_app: String,
}

async fn dialog_of_the_line(node: &Node, maya: DeviceId) -> Dialog {
    let channels = node.channels().await.unwrap();
    let line = channels.iter().find(|id| id.starts_with(&format!("line-{maya}"))).unwrap();
    let ask = async |what: &str| {
        let path = format!("channels/{line}/variable?variable=CHANNEL(pjsip,{what})");
        node.get(&path).await.unwrap()["value"].as_str().unwrap().to_owned()
    };
    Dialog {
        call_id: ask("call-id").await,
        of_asterisk: ask("local_tag").await,
        of_the_app: ask("remote_tag").await,
    }
}

/// Asks, and fails if it was granted. No reply is a refusal too.
async fn refused(socket: &mut Socket, request: Request<'_>) {
    let status = socket.ask(request).await.unwrap();
    assert!(status.is_none_or(|status| status >= 400), "{} {}: {status:?}", request.method, request.uri);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_account_rings_nobody_and_disturbs_nobody() {
    let world = World::with(&[number(0, 1), number(0, 2)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    let first = maya.start().await.unwrap();
    maya.call_and_talk().await.unwrap();
    let line = dialog_of_the_line(&world.node, maya.device).await;
    let others = world.node.channels().await.unwrap();

    let mallory = Stolen::from(&world.server, "Mallory").await.unwrap();
    let mut socket = mallory.open("/sip").await.unwrap();
    let own = format!("sip:{}@ringround", mallory.device);
    let hers = format!("sip:{}@ringround", maya.device);
    let register = |who: &'static str| Request {
        method: "REGISTER",
        uri: "sip:ringround",
        to: who,
        ..Request::default()
    };
    // The secrets are good: what follows is not refused for a wrong password.
    let granted = socket.ask(Request { to: &own, headers: "Expires: 60\r\n", ..register("") }).await.unwrap();
    assert_eq!(granted, Some(200));

    // Any number, by any road.
    let victim = number(0, 77);
    let provider = world.provider.address();
    for uri in [
        format!("sip:{victim}@ringround"),
        format!("tel:{victim}"),
        format!("sip:{victim}@trunk"),
        format!("sip:{victim}@{provider}"),
        format!("sip:PJSIP%2F{victim}%40trunk@ringround"),
        "sip:s@ringround".to_owned(),
        "sip:trunk@ringround".to_owned(),
        hers.clone(),
    ] {
        let invite = Request { method: "INVITE", uri: &uri, body: OFFER, ..Request::default() };
        // Nothing answers these: they are not passed on. Late offer, and in the trunk's name: it has no password.
        socket.tell(invite).await.unwrap();
        socket.tell(Request { body: "", ..invite }).await.unwrap();
        socket.tell(Request { from: "sip:trunk@ringround", ..invite }).await.unwrap();
        socket.tell(Request { from: &hers, ..invite }).await.unwrap();
        // As if it were in a call.
        refused(&mut socket, Request { to: &format!("<{uri}>;tag=5d1c"), ..invite }).await;
    }

    // Into a call that is there, out of it, and beside it.
    let replaces = format!(
        "Replaces: {};to-tag={};from-tag={}\r\nRequire: replaces\r\n",
        line.call_id, line.of_asterisk, line.of_the_app
    );
    let refer_to = format!("Refer-To: <sip:{victim}@ringround>\r\nReferred-By: <{own}>\r\n");
    let number_uri = format!("sip:{victim}@ringround");
    let in_her_call = Request {
        method: "REFER",
        uri: "sip:asterisk@ringround",
        from: &format!("<{hers}>;tag={}", line.of_the_app),
        to: &format!("<sip:asterisk@ringround>;tag={}", line.of_asterisk),
        call_id: &line.call_id,
        headers: &refer_to,
        ..Request::default()
    };
    let plain = Request { uri: &number_uri, ..Request::default() };
    for uri in [&number_uri, &hers] {
        let invite = Request { method: "INVITE", uri, headers: &replaces, body: OFFER, ..plain };
        refused(&mut socket, invite).await;
        refused(&mut socket, Request { to: &format!("<{uri}>;tag=5d1c"), ..invite }).await;
    }
    refused(&mut socket, Request { method: "REFER", headers: &refer_to, ..plain }).await;
    refused(&mut socket, Request { method: "REFER", uri: &hers, headers: &refer_to, ..plain }).await;
    refused(&mut socket, in_her_call).await;
    for method in ["MESSAGE", "PUBLISH", "NOTIFY", "INFO", "UPDATE", "PRACK"] {
        refused(&mut socket, Request { method, headers: "Event: presence\r\n", ..plain }).await;
        refused(&mut socket, Request { method, uri: &hers, headers: "Event: presence\r\n", ..plain }).await;
    }
    for event in ["presence", "dialog", "message-summary", "refer", "reg"] {
        let headers = format!("Event: {event}\r\nExpires: 60\r\n");
        refused(&mut socket, Request { method: "SUBSCRIBE", uri: &hers, headers: &headers, ..plain }).await;
    }

    // Somebody else's place with the registrar, with Mallory's password and in any name.
    for (from, to) in [
        (&*hers, &*hers),
        (&*own, &*hers),
        ("sip:trunk@ringround", "sip:trunk@ringround"),
        (&*own, "sip:trunk@ringround"),
    ] {
        refused(&mut socket, Request { from, to, headers: "Expires: 60\r\n", ..register("") }).await;
    }

    // Too much, too long, and no SIP at all.
    let invite = Request { method: "INVITE", uri: &number_uri, body: OFFER, ..Request::default() };
    socket.flood(invite, 200).await.unwrap();
    let huge = format!("INVITE {number_uri} SIP/2.0\r\nX: {}\r\n\r\n", "x".repeat(60_000));
    for nonsense in [
        "INVITE",
        "\r\n\r\n",
        "INVITE sip: SIP/2.0\r\n\r\n",
        "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n",
        "REGISTER sip:ringround SIP/2.0\r\nVia: \r\nFrom: <\r\nTo: >\r\nCall-ID:\r\nCSeq: x\r\nContent-Length: -1\r\n\r\n",
        "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/WSS a;branch=z9hG4bK1\r\nContent-Length: 999999999\r\n\r\nv=0",
        "\u{0}\u{0}\u{0}",
        &huge,
    ] {
        socket.frame(Message::text(nonsense)).await.unwrap();
        socket.frame(Message::binary(nonsense.as_bytes().to_vec())).await.unwrap();
    }
    // Asterisk may have closed the tunnel for one of these; that is Mallory's loss.
    drop(socket);
    for path in ["/sip", "/live"] {
        let mut socket = mallory.open(path).await.unwrap();
        // The server may close before all of it is sent.
        let _ = socket.frame(Message::binary(vec![b'x'; 10_000_000])).await;
        assert!(socket.closes(Duration::from_secs(5)).await, "{path} took 10 MB");
    }

    let only_hers = || async {
        let now = world.node.channels().await.unwrap();
        now.len() == others.len() && now.iter().all(|id| others.contains(id))
    };
    poll("an end of all that Mallory made", Duration::from_secs(15), only_hers).await.unwrap();
    let arrivals = world.provider.records().arrivals().unwrap();
    assert_eq!(arrivals.len(), 1, "Mallory rang somebody: {arrivals:?}");
    assert!(talks(&maya), "Maya's call was disturbed: {:?}", maya.desk());
    maya.hang_up().await.unwrap();
    maya.outcome(Outcome::Reached).await.unwrap();
    let Session::Ready { card } = first.session else { panic!("{:?}", first.session) };
    maya.next_card(Some(&card)).await.unwrap();
    maya.call_and_talk().await.unwrap();
    assert_eq!(world.provider.records().arrivals().unwrap().len(), 2);
    assert_eq!(world.provider.records().rung_twice().unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_every_door_is_shut() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let mallory = Stolen::from(&world.server, "Mallory").await.unwrap();
    let code = async |api: &Api, path: &str| {
        let reply = api.post::<Value>(path, &json!({})).await;
        reply.err().and_then(|refusal| refusal.code())
    };
    let strange = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let nobody = Api::new(&mallory.home, &mallory.api.server, &world.server).unwrap();
    let stranger = nobody.signed_in(strange);
    for path in
        ["/api/session/start", "/api/line", "/api/dial", "/api/hang-up", "/api/lease/settle", "/api/outcome"]
    {
        assert_eq!(code(&nobody, path).await, Some(ErrorCode::SignInAgain), "{path}");
        assert_eq!(code(&stranger, path).await, Some(ErrorCode::SignInAgain), "{path}");
    }
    for path in ["/sip", "/live"] {
        for token in [None, Some(strange), Some("x"), Some("")] {
            assert_eq!(mallory.refusal(path, token).await.unwrap(), Some(401), "{path} {token:?}");
        }
    }
    // Signed out is as good as never signed in; the account is gone from Asterisk.
    mallory.api.post::<Value>("/api/sign-out", &json!({})).await.unwrap();
    for path in ["/sip", "/live"] {
        assert_eq!(mallory.refusal(path, Some(&mallory.sign_in.token)).await.unwrap(), Some(401));
    }
    assert!(
        world.node.get(&format!("asterisk/config/dynamic/res_pjsip/auth/{}", mallory.device)).await.is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_devices_token_moves_nothing_of_mine() {
    let world = World::with(&[number(0, 1)]).await.unwrap();
    let maya = world.volunteer("Maya").await.unwrap();
    maya.start().await.unwrap();
    let lease_id = maya.card().unwrap().lease_id;
    let mallory = Stolen::from(&world.server, "Mallory").await.unwrap();
    let tries = async |path: &str, body: Value| {
        let reply: Result<Value, Failure> = mallory.api.post(path, &body).await;
        let code = reply.err().and_then(|refusal| refusal.code());
        let no = [ErrorCode::NotFound, ErrorCode::WrongState, ErrorCode::LeaseLost];
        assert!(code.is_some_and(|code| no.contains(&code)), "{path}: {code:?}");
    };
    let before = maya.desk().unwrap();
    // Before and in a session of her own.
    for started in [false, true] {
        if started {
            mallory.api.post::<Value>("/api/session/start", &json!({})).await.unwrap();
        }
        tries("/api/dial", json!(Dial { lease_id })).await;
        for how in [Settle::Skip, Settle::DoNotCall] {
            tries("/api/lease/settle", json!(SettleLease { lease_id, how })).await;
        }
    }
    assert_eq!(maya.desk().unwrap(), before);
    let attempt = maya.call_and_talk().await.unwrap();
    // Of a call that is not hers it is as if it were over already.
    let _ = mallory.api.post::<Value>("/api/hang-up", &HangUp { attempt_id: attempt }).await;
    tries("/api/outcome", json!(press(attempt, Outcome::DoNotCall))).await;
    tries("/api/dial", json!(Dial { lease_id })).await;
    assert!(talks(&maya));
    maya.hang_up().await.unwrap();
    maya.outcome(Outcome::Reached).await.unwrap();
    // Nor afterwards, as a correction.
    tries("/api/outcome", json!(press(attempt, Outcome::DoNotCall))).await;
    assert_eq!(world.server.outcomes().unwrap()[&number(0, 1)], "reached");
    assert_eq!(world.provider.records().arrivals().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_link_an_unknown_campaign_and_another_version_are_refused_in_words() {
    let world = World::with(&[]).await.unwrap();
    let link = world.server.invite("Maya").unwrap();
    let home = world.home().unwrap();
    let _maya = Volunteer::join_by(&world.server, &home, &link).await.unwrap();
    let api = Api::new(&home, &link.server, &world.server).unwrap();
    let key = e2e::volunteer::new_key().unwrap();
    let again = spend(&api, &link, DeviceId::new(uuid::Uuid::now_v7()), &key).await.unwrap_err();
    assert_eq!(again.code(), Some(ErrorCode::LinkSpent), "{again:?}");
    let mut unknown = link.clone();
    unknown.token = link.token.chars().rev().collect();
    let refused = spend(&api, &unknown, DeviceId::new(uuid::Uuid::now_v7()), &key).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::UnknownLink), "{refused:?}");

    for words in [
        &["import", "/dev/null", "--campaign", "Nowhere"][..],
        &["invite", "--campaign", "Nowhere", "--name", "Tom"],
    ] {
        let said = world.server.command(words).unwrap_err().to_string();
        assert!(said.contains("Nowhere"), "{said}");
    }

    let client = world.server.client().unwrap();
    for (major, code) in [("2", ErrorCode::UpdateServer), ("0", ErrorCode::UpdateApp)] {
        let url = link.server.join("/api/session/start").unwrap();
        let asked = client.post(url).header(PROTOCOL_HEADER, major).json(&json!({})).send();
        let reply = home.run(asked).await.unwrap();
        assert_eq!(reply.status(), 426);
        let refusal: protocol::http::ApiError = reply.json().await.unwrap();
        assert_eq!(refusal.code, code);
        assert!(refusal.message.len() > 20, "{}", refusal.message);
    }
    // A body of 10 MB, and one that is no JSON.
    let maya = Stolen::from(&world.server, "Tom").await.unwrap();
    let long = OpenLine { token: "0".repeat(10_000_000) };
    let refused = maya.api.post::<Value>("/api/line", &long).await.unwrap_err();
    // The connection may be cut before all of it was sent.
    assert!(matches!(refused.code(), Some(ErrorCode::TooLarge) | None), "{refused:?}");
    let refused = maya.api.post::<Value>("/api/line", &json!("no")).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::Invalid));
}
