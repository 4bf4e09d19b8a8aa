//! The softphone by itself at an Asterisk, with no server of ours between: the telephone in a terminal (its example)
//! calls, speaks, hears, presses keys and hangs up; and a key arrives whatever was agreed in the call.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use e2e::{
    cable::Tunnel,
    child::{Child, poll},
    handset::Handset,
    listening::{self, HEARD},
    networks::{Home, Networks},
    pbx::{Node, Provider},
    ringround::program,
    sound::{Sentence, Sound},
    world::number,
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use softphone::{Account, CallState, Codec, Registration, Settings};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

const PATIENCE: Duration = Duration::from_secs(20);
const PASSWORD: &str = "a-password-of-this-test";

/// An Asterisk whose calls this test answers, by ARI: what a dialplan would do.
struct Exchange {
    node: Node,
    _provider: Provider,
    /// Where the phones are.
    home: Home,
    tunnel: Tunnel,
    folder: TempDir,
    events: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Exchange {
    async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rr").tempdir()?;
        let networks = Networks::lay()?;
        let provider = Provider::start(&networks, folder.path(), None).await?;
        let node = Node::start(&networks, folder.path(), provider.address()).await?;
        let url = format!("{}/ari/events?app=terminal", node.http());
        let basic =
            reqwest::Client::new().get(&url).basic_auth("ringround", Some(password_of(&node)?)).build()?;
        let mut request = url.replacen("http", "ws", 1).into_client_request()?;
        let authorization = basic.headers().get("authorization").context("basic")?;
        request.headers_mut().insert("authorization", HeaderValue::from_bytes(authorization.as_bytes())?);
        let connecting = async { tokio_tungstenite::connect_async(request).await };
        let (events, _) = networks.server.run(connecting).await?;
        let home = networks.home()?;
        let tunnel = Tunnel::to(&node, &home).await?;
        Ok(Self { node, _provider: provider, home, tunnel, folder, events })
    }

    /// Where phones register, from their home.
    fn server(&self) -> String {
        format!("ws://{}/ws", self.tunnel.address())
    }

    async fn ask(&self, method: &str, what: &str, body: &Value) -> Result<()> {
        self.node.request(method, &what.replace('+', "%2B"), body).await?;
        Ok(())
    }

    /// An account whose calls are spoken in this codec, with keys sent so.
    async fn account(&self, name: &str, codec: &str, keys: &str) -> Result<()> {
        let objects = [
            ("auth", vec![("auth_type", "digest"), ("username", name), ("password", PASSWORD)]),
            ("aor", vec![("max_contacts", "1"), ("remove_existing", "yes")]),
            (
                "endpoint",
                vec![
                    ("transport", "transport-ws"),
                    ("webrtc", "yes"),
                    ("dtls_auto_generate_cert", "yes"),
                    ("disallow", "all"),
                    ("allow", codec),
                    ("dtmf_mode", keys),
                    ("context", "stasis-terminal"),
                    ("auth", name),
                    ("aors", name),
                ],
            ),
        ];
        for (kind, fields) in objects {
            let fields: Vec<Value> =
                fields.iter().map(|(name, value)| json!({"attribute": name, "value": value})).collect();
            let path = format!("asterisk/config/dynamic/res_pjsip/{kind}/{name}");
            self.ask("PUT", &path, &json!({ "fields": fields })).await?;
        }
        Ok(())
    }

    /// The next event that is meant.
    async fn event(&mut self, what: &str, meant: impl Fn(&Value) -> bool) -> Result<Value> {
        let wait = async {
            loop {
                let frame = self.events.next().await.context("the node closed its events")??;
                let Ok(event) = serde_json::from_slice::<Value>(&frame.into_data()) else { continue };
                if meant(&event) {
                    return Ok(event);
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.with_context(|| format!("waited in vain for {what}"))?
    }

    /// The channel of the call that comes in next, or of one that this test made.
    async fn channel(&mut self) -> Result<String> {
        let start = self.event("a call", |event| event["type"] == "StasisStart").await?;
        Ok(start["channel"]["id"].as_str().context("an id")?.to_owned())
    }

    /// The keys that Asterisk hears on a channel, each with its length in ms.
    async fn keys(&mut self, channel: &str, count: usize) -> Result<Vec<(String, u64)>> {
        let mut keys = Vec::new();
        while keys.len() < count {
            let of_it =
                |event: &Value| event["type"] == "ChannelDtmfReceived" && event["channel"]["id"] == channel;
            let key = self.event(&format!("another key after {keys:?}"), of_it).await?;
            let text = key["digit"].as_str().context("a digit")?.to_owned();
            keys.push((text, key["duration_ms"].as_u64().context("a duration")?));
        }
        Ok(keys)
    }

    /// Answers a call, with the callee that gives back what is said at its other end.
    async fn answer_with_echo(&mut self, channel: &str) -> Result<()> {
        let echo = number(0, 97);
        let path = format!("channels?endpoint=PJSIP/{echo}@trunk&app=terminal");
        self.ask("POST", &path, &Value::Null).await?;
        let callee = self.channel().await?;
        self.ask("POST", "bridges?type=mixing&bridgeId=talk", &Value::Null).await?;
        self.ask("POST", &format!("channels/{channel}/answer"), &Value::Null).await?;
        self.ask("POST", &format!("bridges/talk/addChannel?channel={channel},{callee}"), &Value::Null).await
    }
}

fn password_of(node: &Node) -> Result<String> {
    Ok(std::fs::read_to_string(node.password_file())?.trim().to_owned())
}

/// `RINGROUND_PHONE`, else what cargo builds from this repository (once a process).
fn phone() -> Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| program("RINGROUND_PHONE", ["--example", "call"], "examples/call"));
    built.as_deref().map_err(|error| anyhow::anyhow!("building the phone: {error}"))
}

/// The program in its terminal.
struct Terminal {
    program: Child,
    typed: std::process::ChildStdin,
}

impl Terminal {
    fn start(exchange: &Exchange, password: Option<&str>, words: &[&str]) -> Result<Self> {
        let mut command = Command::new(phone()?);
        command.args(words);
        match password {
            Some(password) => command.env("RINGROUND_PASSWORD", password),
            None => command.env_remove("RINGROUND_PASSWORD"),
        };
        let log = exchange.folder.path().join(format!("phone-{}.log", uuid::Uuid::now_v7().simple()));
        let mut program =
            Child::start_with(Some(exchange.home.net()), "the phone", command, &log, Stdio::piped(), None)?;
        let typed = program.stdin().context("its keyboard is a pipe")?;
        Ok(Self { program, typed })
    }

    fn said(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.program.log())?)
    }

    async fn says(&mut self, words: &str) -> Result<()> {
        let log = self.program.log().to_owned();
        let said = || async { std::fs::read_to_string(&log).is_ok_and(|said| said.contains(words)) };
        let waited = poll(words, PATIENCE, said).await;
        self.program.still_runs()?;
        waited
    }

    /// Its exit status, when it has ended by itself.
    async fn ends(&mut self) -> Result<Option<i32>> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.program.still_runs().is_ok() {
            ensure!(tokio::time::Instant::now() < deadline, "the phone does not end: {}", self.said()?);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(self.program.stop(Duration::ZERO).and_then(|status| status.code()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_calls_and_speaks_and_hears_and_presses_keys_and_hangs_up() {
    let mut exchange = Exchange::start().await.unwrap();
    exchange.account("anna", "opus,ulaw", "rfc4733").await.unwrap();
    let folder = exchange.folder.path().to_owned();
    let sentence = Sentence::say(201).unwrap();
    let (mouth, ear) = (folder.join("mouth.wav"), folder.join("ear.wav"));
    // The other end is there a moment after the answer.
    Sound::silence(48_000, 1_500).then(&sentence.sound).write(&mouth).unwrap();
    let (server, mouth, ear_path) = (exchange.server(), mouth.to_str().unwrap(), ear.to_str().unwrap());
    let words = ["--server", &server, "--user", "anna", "--wav-in", mouth, "--wav-out", ear_path, "callee"];
    let mut phone = Terminal::start(&exchange, Some(PASSWORD), &words).unwrap();
    let channel = exchange.channel().await.unwrap();
    let arguments = std::fs::read(format!("/proc/{}/cmdline", phone.program.id())).unwrap();
    assert!(arguments.windows(4).any(|part| part == b"anna"), "not its command line");
    assert!(!arguments.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()));
    exchange.answer_with_echo(&channel).await.unwrap();
    phone.says("Up { codec: Opus, line: false }").await.unwrap();
    tokio::time::sleep(Duration::from_millis(sentence.sound.milliseconds() as u64 + 3_000)).await;
    phone.typed.write_all(b"5\n#").unwrap();
    let keys = exchange.keys(&channel, 2).await.unwrap();
    assert_eq!((keys[0].0.as_str(), keys[1].0.as_str()), ("5", "#"));
    phone.typed.write_all(b"h").unwrap();
    assert_eq!(phone.ends().await.unwrap(), Some(0), "{}", phone.said().unwrap());
    exchange.event("its end", |e| e["type"] == "StasisEnd" && e["channel"]["id"] == *channel).await.unwrap();
    let heard = listening::find(&sentence.sound, &Sound::read(&ear).unwrap());
    assert!(heard.correlation >= HEARD, "it did not hear itself: {heard:?}\n{}", phone.said().unwrap());
    assert!(!phone.said().unwrap().contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_exit_status_says_how_it_went() {
    let mut exchange = Exchange::start().await.unwrap();
    exchange.account("anna", "opus,ulaw", "rfc4733").await.unwrap();
    let server = exchange.server();
    let words = ["--server", &server, "--user", "anna", "--seconds", "1", "callee"];

    // The first line of standard input, where no variable has it.
    let mut phone = Terminal::start(&exchange, None, &words).unwrap();
    writeln!(phone.typed, "{PASSWORD}").unwrap();
    let channel = exchange.channel().await.unwrap();
    exchange.ask("POST", &format!("channels/{channel}/answer"), &Value::Null).await.unwrap();
    assert_eq!(phone.ends().await.unwrap(), Some(0), "{}", phone.said().unwrap());

    let mut phone = Terminal::start(&exchange, Some(PASSWORD), &words).unwrap();
    let channel = exchange.channel().await.unwrap();
    exchange.ask("DELETE", &format!("channels/{channel}?reason=busy"), &Value::Null).await.unwrap();
    assert_eq!(phone.ends().await.unwrap(), Some(1), "{}", phone.said().unwrap());
    assert!(phone.said().unwrap().contains("Busy"), "{}", phone.said().unwrap());

    let mut phone = Terminal::start(&exchange, Some("a-wrong-one"), &words).unwrap();
    assert_eq!(phone.ends().await.unwrap(), Some(3), "{}", phone.said().unwrap());
    let said = phone.said().unwrap();
    assert!(said.contains("not registered: the registrar refused the account (401)"), "{said}");
    assert!(!said.contains("a-wrong-one"), "{said}");

    let mut phone = Terminal::start(&exchange, Some(PASSWORD), &words[..5]).unwrap();
    assert_eq!(phone.ends().await.unwrap(), Some(2), "{}", phone.said().unwrap());
    assert!(phone.said().unwrap().starts_with("--seconds needs a value\n"), "{}", phone.said().unwrap());
}

/// What the account may speak, how its keys go, and what then is spoken.
const WAYS: [(&str, &str, &str, Codec); 4] = [
    ("opus", "opus,ulaw", "rfc4733", Codec::Opus),
    ("mu-law", "ulaw", "rfc4733", Codec::Pcmu),
    ("a-law", "alaw", "rfc4733", Codec::Pcma),
    ("info", "alaw", "info", Codec::Pcma),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_key_arrives_whatever_was_agreed_and_whoever_called() {
    let mut exchange = Exchange::start().await.unwrap();
    for (name, codec, keys, spoken) in WAYS {
        exchange.account(name, codec, keys).await.unwrap();
        let account =
            Account { username: name.to_owned(), password: PASSWORD.into(), domain: "ringround".to_owned() };
        let handset =
            Handset::start(&exchange.home, Settings::new(exchange.server().parse().unwrap(), account))
                .unwrap();
        let registered = |now: &e2e::handset::Standing| now.registration == Some(Registration::Registered);
        handset.until("its registration", PATIENCE, registered).await.unwrap();
        for line in [false, true] {
            let channel = if line {
                handset.phone.expect_line("a-token".to_owned());
                let path = format!("channels?endpoint=PJSIP/{name}&app=terminal&formats={codec}");
                let token = json!({"variables": {"PJSIP_HEADER(add,X-Line-Token)": "a-token"}});
                exchange.ask("POST", &path, &token).await.unwrap();
                exchange.channel().await.unwrap()
            } else {
                handset.phone.call("callee");
                let channel = exchange.channel().await.unwrap();
                exchange.ask("POST", &format!("channels/{channel}/answer"), &Value::Null).await.unwrap();
                channel
            };
            let up = CallState::Up { codec: spoken, line };
            let in_call = |now: &e2e::handset::Standing| now.call == Some(up.clone());
            handset.until(&format!("{name}: {up:?}"), PATIENCE, in_call).await.unwrap();
            // Until it has heard sound Asterisk does not know by which clock a key's length is told.
            let before = handset.standing().quality;
            let speaks = |now: &e2e::handset::Standing| {
                now.quality != before && now.quality.is_some_and(|quality| quality.sent > 2)
            };
            handset.until("sound from it", PATIENCE, speaks).await.unwrap();
            // Each phone's calls are counted from one.
            handset.phone.send_digits(softphone::CallId(1 + u64::from(line)), "1144x*#D");
            let keys = exchange.keys(&channel, 7).await.unwrap();
            let text: String = keys.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(text, "1144*#D", "{name}, line {line}");
            assert!(keys.iter().all(|(_, ms)| (80..=200).contains(ms)), "{name}, line {line}: {keys:?}");
            exchange.ask("DELETE", &format!("channels/{channel}"), &Value::Null).await.unwrap();
            let over = |now: &e2e::handset::Standing| matches!(now.call, Some(CallState::Ended { .. }));
            handset.until("its end", PATIENCE, over).await.unwrap();
        }
    }
}
