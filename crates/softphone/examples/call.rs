//! A telephone in a terminal.
//!
//! `cargo run -p softphone --example call -- --server wss://host:8443/sip --user anna +447700900098`
//!
//! Keys typed go out as digits, `h` hangs up. Exit status: 0 the call was up and ended, 1 it never came
//! up, 2 the arguments are wrong, 3 not registered, 4 the call was lost.

#![expect(clippy::print_stdout, reason = "what this program says is its output")]

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use softphone::{
    Account, CallId, CallState, Devices, EndedBy, Event, FileDevice, Registration, Secret, Settings,
    Softphone, Trust,
};
use tokio::sync::mpsc;

const HELP: &str = "\
Usage: call --server ADDRESS --user NAME [options] TARGET
       call --server ADDRESS --user NAME [options] --wait TOKEN

  --server ADDRESS  wss://host:port/path (ws:// only to this machine)
  --user NAME       the account; its password is read from RINGROUND_PASSWORD, else from the first
                    line of standard input
  --domain NAME     the account's domain (the server's host)
  --pin BASE64      trust only the authority with this SHA-256 of its public key
  --wav-in FILE     say this file (16-bit PCM WAV)
  --wav-out FILE    keep what is heard in this file
  --devices         speak and hear with the system's devices
  --seconds N       hang up after N seconds of talk
  --wait TOKEN      wait for a call with this line token instead of calling
  --silent          send no sound
  TARGET            a number, a name, or a sip: address
While it runs: digits and # * are sent, h hangs up.";

struct Arguments {
    settings: Settings,
    target: Option<String>,
    token: Option<String>,
    seconds: Option<u64>,
    silent: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    run(arguments).await
}

async fn run(arguments: Arguments) -> ExitCode {
    let began = Instant::now();
    let (phone, mut events) = Softphone::start(arguments.settings);
    let mut keys = keys();
    let mut call: Option<CallId> = None;
    let mut hang_up_at: Option<Instant> = None;
    let mut status = 1;
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            Some(key) = keys.recv() => {
                if let Some(id) = call {
                    match key {
                        'h' => phone.hang_up(id),
                        key => phone.send_digits(id, &key.to_string()),
                    }
                }
                continue;
            }
            () = at(hang_up_at) => {
                hang_up_at = None;
                if let Some(id) = call {
                    phone.hang_up(id);
                }
                continue;
            }
        };
        let Some(event) = event else { break };
        if !matches!(event, Event::Level { .. }) {
            println!("{:9.3} {}", began.elapsed().as_secs_f64(), describe(&event));
        }
        match event {
            Event::Registration(Registration::Registered) if call.is_none() => {
                if let Some(token) = &arguments.token {
                    phone.expect_line(token.clone());
                }
                if let Some(target) = &arguments.target {
                    call = Some(phone.call(target));
                }
            }
            Event::Registration(Registration::Refused { .. }) => {
                status = 3;
                break;
            }
            Event::Call { id, state } => match state {
                CallState::Dialling | CallState::Ringing { .. } | CallState::Reconnecting { .. } => {
                    call = Some(id);
                    if arguments.silent {
                        phone.send_audio(id, false);
                    }
                }
                CallState::Up { .. } => {
                    if status == 1 {
                        hang_up_at = arguments.seconds.map(|n| Instant::now() + Duration::from_secs(n));
                    }
                    status = 0;
                }
                CallState::Ended { by, .. } => {
                    if status == 0 && by == EndedBy::Failure {
                        status = 4;
                    }
                    break;
                }
            },
            Event::Registration(_)
            | Event::FirstMedia { .. }
            | Event::Media { .. }
            | Event::Level { .. }
            | Event::Devices(_) => {}
        }
    }
    phone.stop().await;
    ExitCode::from(status)
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Registration(Registration::Lost { why, retry_in }) => {
            format!("not registered: {why}; again in {:.1} s", retry_in.as_secs_f32())
        }
        Event::Registration(Registration::Refused { why }) => {
            format!("not registered: {why} ({:?})", why.blame())
        }
        Event::Registration(standing) => format!("{standing:?}"),
        Event::Call { id, state } => format!("{id}: {state:?}"),
        Event::FirstMedia { id } => format!("{id}: first media"),
        Event::Media { id, quality: q } => format!(
            "{id}: loss {:.1} % (up {:.1} %), jitter {:.1} ms, round trip {}, late {:.1} %, buffer {:.0} ms, \
             {} received, {} sent",
            q.loss * 100.0,
            q.loss_up * 100.0,
            q.jitter_ms,
            q.round_trip_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms")),
            q.late_drops * 100.0,
            q.buffer_ms,
            q.received,
            q.sent,
        ),
        Event::Level { .. } => String::new(),
        Event::Devices(state) => format!("{state:?}"),
    }
}

/// What is typed, one character at a time, from a thread that may wait.
fn keys() -> mpsc::UnboundedReceiver<char> {
    let (typed, keys) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for byte in std::io::stdin().lock().bytes() {
            let Ok(byte) = byte else { return };
            if !byte.is_ascii_whitespace() && typed.send(char::from(byte)).is_err() {
                return;
            }
        }
    });
    keys
}

fn arguments() -> Result<Arguments, String> {
    let mut words = std::env::args().skip(1);
    let (mut server, mut user, mut domain, mut target, mut token) = (None, None, None, None, None);
    let (mut files, mut devices, mut seconds, mut silent) = (FileDevice::default(), false, None, false);
    let mut trust = Trust::System;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--server" => server = Some(value()?.parse().map_err(|e| format!("--server: {e}"))?),
            "--user" => user = Some(value()?),
            "--domain" => domain = Some(value()?),
            "--pin" => trust = Trust::authority(&value()?).map_err(|e| format!("--pin: {e}"))?,
            "--wav-in" => files.microphone = Some(PathBuf::from(value()?)),
            "--wav-out" => files.speaker = Some(PathBuf::from(value()?)),
            "--seconds" => seconds = Some(value()?.parse().map_err(|e| format!("--seconds: {e}"))?),
            "--wait" => token = Some(value()?),
            "--devices" => devices = true,
            "--silent" => silent = true,
            "--help" | "-h" => return Err("A telephone in a terminal.".to_owned()),
            other if other.starts_with("--") => return Err(format!("{other} is not known")),
            other => target = Some(other.to_owned()),
        }
    }
    let server: url::Url = server.ok_or("--server is missing")?;
    let user = user.ok_or("--user is missing")?;
    if target.is_none() == token.is_none() {
        return Err("either TARGET or --wait is needed".to_owned());
    }
    let domain = domain.or_else(|| server.host_str().map(str::to_owned)).unwrap_or_default();
    let account = Account { username: user, password: password()?, domain };
    let mut settings = Settings::new(server, account);
    settings.trust = trust;
    settings.devices =
        if devices { Devices::System { microphone: None, speaker: None } } else { Devices::Files(files) };
    Ok(Arguments { settings, target, token, seconds, silent })
}

fn password() -> Result<Secret, String> {
    if let Ok(password) = std::env::var("RINGROUND_PASSWORD") {
        return Ok(password.into());
    }
    if std::io::stdin().is_terminal() {
        eprint!("Password: ");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|e| format!("no password: {e}"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned().into())
}
