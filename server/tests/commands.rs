//! The organiser's commands, with the program as a process and no Asterisk.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use protocol::join_link::JoinLink;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Server {
    data: TempDir,
    process: Child,
    said: Vec<String>,
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringround-server"));
    command.env_remove("RINGROUND_LOG").env_remove("RINGROUND_DATA");
    command
}

fn serve(data: TempDir) -> Server {
    let mut process = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--name", "localhost", "--trunk-kind", "simulated"])
        .args(["--ari", "http://127.0.0.1:1", "--data"])
        .arg(data.path().join("here"))
        .env("RINGROUND_ARI_PASSWORD", "canary-password")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said = Vec::new();
    for line in lines.by_ref() {
        let there = line.contains("waiting for Asterisk");
        said.push(line);
        if there {
            break;
        }
    }
    // What is said later must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Server { data, process, said }
}

fn started() -> Server {
    let server = serve(tempfile::tempdir().unwrap());
    let made = server.run(&[
        "campaign",
        "create",
        "--name",
        "Winter Warmth",
        "--organisation",
        "Lantern Street Trust",
        "--organiser",
        "Ruth",
        "--caller-id",
        "020 7946 0000",
        "--hours",
        "always",
        "--spacing",
        "0",
        "--script",
        &server.file("script.txt", "Hello, is that {form_of_address}?\n\n> Wait.\n"),
    ]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    server
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

impl Server {
    /// The server makes it.
    fn folder(&self) -> PathBuf {
        self.data.path().join("here")
    }

    fn run(&self, args: &[&str]) -> Output {
        program().arg("--data").arg(self.folder()).args(args).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", text(&output.stdout));
        text(&output.stderr).to_owned()
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.data.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_list_is_imported_with_a_report_and_looked_up() {
    let server = started();
    let list = "name,phone,form_of_address\nMargaret Hollis,07700 900001,Mrs Hollis\nTerence,nobody,\n";
    let list = server.file("list.csv", list);
    let report = server.json(&["import", &list, "--campaign", "winter warmth"]);
    assert_eq!((&report["kept"], &report["refused"]), (&json!(1), &json!(1)));
    assert_eq!(
        report["rows"],
        json!([{ "line": 3, "column": "phone", "why": "not a telephone number: there are letters in it. Write digits only, like 07700 900123" }])
    );

    let again = server.run(&["import", &list, "--campaign", "Winter Warmth"]);
    let said = text(&again.stdout);
    assert!(said.contains("2     phone   on this list already"), "{said}");
    assert!(said.ends_with("list.csv: 0 kept, 2 refused\n"), "{said}");
    assert!(!said.contains("Kept, but"), "{said}");
    let header = server.file("header.csv", "name,phone\n");
    let nobody = server.run(&["import", &header, "-c", "Winter Warmth"]);
    assert!(text(&nobody.stdout).contains("no rows below the first line"), "{}", text(&nobody.stdout));

    let found = server.json(&["lookup", "07700 900 001"]);
    assert_eq!(found["contacts"][0]["name"], "Margaret Hollis");
    assert_eq!(found["contacts"][0]["campaign"], "Winter Warmth");
    assert!(server.refused(&["lookup", "Margaret"]).contains("not a telephone number"));
    for (letters, why) in [
        ("07700 900TBA", "letters"),
        ("07700 9001O3", "letters"),
        ("020 7946 0TBA", "letters"),
        ("020 7219 3TBA", "letters"),
        ("0113 496 0ask", "letters"),
        ("07400 123 NEW", "letters"),
        ("07700 900 16x", "letters"),
        ("AB123456C", "letters"),
        ("01/02/2026", "a date"),
        ("07700 900018 ext 5", "extension"),
        ("07700 900001 / 07700 900002", "Several"),
        ("00000000000", ""),
        ("12345678", ""),
    ] {
        let said = server.refused(&["lookup", letters]);
        assert!(said.contains(why) && !said.contains("+44"), "{letters}: {said}");
    }

    let shown = server.json(&["campaign", "show", "Winter Warmth"]);
    assert_eq!(shown["list"], json!({ "contacts": 1, "open": 1, "due": 1, "done": 0 }));
    assert_eq!(shown["form"]["spacing"], "0s");
}

#[test]
fn a_list_that_is_none_changes_nothing() {
    let server = started();
    let list = server.file("list.csv", "name,telephone\nAnn,07700900001\n");
    assert!(server.refused(&["import", &list, "-c", "Winter Warmth"]).contains("no column \"phone\""));
    assert!(server.refused(&["import", &list, "-c", "Summer"]).contains("there is no campaign \"Summer\""));
    assert!(server.refused(&["import", "nowhere.csv", "-c", "Winter Warmth"]).contains("nowhere.csv"));

    // A program that goes away in the middle of its file.
    let mut stream = UnixStream::connect(server.folder().join("control.sock")).unwrap();
    let command = json!({ "command": "import", "campaign": "Winter Warmth", "source": "half.csv" });
    stream.write_all(format!("{command}\n").as_bytes()).unwrap();
    let half = b"name,phone\nAnn,07700900001\n";
    stream.write_all(&u32::try_from(half.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(half).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("Nothing was imported"), "{answer}");
    assert_eq!(server.json(&["campaign", "show", "Winter Warmth"])["list"]["contacts"], 0);
}

#[test]
fn a_million_characters_in_a_field_are_refused_by_line() {
    let server = started();
    let list = format!("name,phone\nAnn,07700900001\n{},07700900002\nBea,07700900003", "x".repeat(1_000_000));
    let report = server.json(&["import", &server.file("list.csv", list), "-c", "Winter Warmth"]);
    assert_eq!((&report["kept"], &report["rows"][0]["line"]), (&json!(2), &json!(3)));
}

#[test]
fn an_invitation_is_a_link_that_stops_working_with_the_person() {
    let server = started();
    let invited = server.json(&["invite", "--campaign", "Winter Warmth", "--name", "Maya"]);
    let link = JoinLink::parse(invited["link"].as_str().unwrap()).unwrap();
    let status = server.json(&["status"]);
    assert_eq!(link.server.as_str(), status["origin"].as_str().unwrap());
    assert!(link.authority.is_some());
    assert_eq!(
        (&status["health"]["asterisk"], &status["health"]["database"]),
        (&json!("waiting"), &json!("ready"))
    );
    assert_eq!(server.json(&["invite", "-c", "Winter Warmth", "-n", "maya"])["known"], json!(true));

    let said = server.run(&["people", "list"]);
    assert!(text(&said.stdout).contains("Maya    invited"), "{}", text(&said.stdout));
    let revoked = server.json(&["people", "revoke", "Maya"]);
    assert_eq!((&revoked["person"], &revoked["devices"]), (&json!("Maya"), &json!([])));
    assert!(server.refused(&["people", "revoke", "Maya"]).contains("nobody active is called \"Maya\""));
}

#[test]
fn campaigns_come_from_a_file_too_and_are_paused() {
    let server = started();
    let toml = r#"
        name = "Summer"
        organisation = "Lantern Street Trust"
        organiser = "Ruth"
        caller_id = "020 7946 0001"
        script = "Hello, is that {form_of_address}?"
    "#;
    let file = server.file("campaign.toml", toml);
    let made = server.json(&["campaign", "create", "--file", &file]);
    assert_eq!(
        (&made["form"]["hours"], &made["form"]["caller_id"]),
        (&json!("rules"), &json!("+442079460001"))
    );
    assert!(server.refused(&["campaign", "create", "--file", &file]).contains("already"));
    let other = server.json(&["campaign", "create", "--file", &file, "--name", "Autumn"]);
    assert_eq!(other["form"]["name"], "Autumn");
    let broken = server.file("broken.toml", "name = \n");
    assert!(server.refused(&["campaign", "create", "--file", &broken]).contains("line 1"));

    server.json(&["campaign", "pause", "Summer", "--message", "Tea break"]);
    let listed = server.json(&["campaign", "list"]);
    assert_eq!(listed["campaigns"].as_array().unwrap().len(), 3);
    assert_eq!(listed["campaigns"][1]["pause_message"], "Tea break");
    assert_eq!(server.json(&["campaign", "pause", "Summer"])["pause_message"], "Tea break");
    assert_eq!(server.json(&["campaign", "resume", "Summer"])["paused_by"], Value::Null);
}

#[test]
fn a_trunk_is_made_at_the_start_set_shown_and_kept() {
    let mut server = started();
    let made = server.json(&["trunk", "show"]);
    assert_eq!((&made["name"], &made["calls"]), (&json!("trunk"), &json!({ "in_use": 0, "in_line": 0 })));
    let plain = json!({ "number_form": "e164", "prefix": "", "caller_id_form": "e164", "country": "GB",
                        "channels": null, "calls_per_second": null });
    assert_eq!(made["form"], plain);

    let said = server.run(&[
        "trunk",
        "set",
        "--number-form",
        "e164-no-plus",
        "--prefix",
        "9#00",
        "--caller-id-form",
        "national",
        "--channels",
        "30",
        "--calls-per-second",
        "5",
    ]);
    assert_eq!(
        text(&said.stdout),
        "trunk\n  Numbers    like 9#00447700900123 (e164-no-plus, behind 9#00)\n  \
         Caller ID  like 02079460000 (national)\n  Country    GB\n  \
         Calls      0 now; at most 30 at once, and 5 new ones a second\n",
        "{}",
        text(&said.stderr)
    );
    // What is not named stays.
    let set = server.json(&["trunk", "set", "trunk", "--channels", "none"]);
    assert_eq!((&set["form"]["channels"], &set["form"]["calls_per_second"]), (&json!(null), &json!(5)));
    let status = server.run(&["status"]);
    let status = text(&status.stdout);
    assert!(status.contains("Trunk      trunk: 0 now; at most 5 new ones a second"), "{status}");

    assert!(server.refused(&["trunk", "set", "--prefix", "9;x"]).contains("prefix: ';' cannot stand there"));
    assert!(server.refused(&["trunk", "set", "--country", "44"]).contains("two letters of a country"));
    assert!(
        server.refused(&["trunk", "set", "other", "--channels", "3"]).contains("there is no trunk \"other\"")
    );
    assert!(server.refused(&["trunk", "show", "other"]).contains("trunk list"));
    for wrong in [&["--channels", "0"][..], &["--calls-per-second", "-1"], &["--number-form", "plus"], &[]] {
        let refused = server.run(&[&["trunk", "set"], wrong].concat());
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {}", text(&refused.stderr));
    }

    let _ = server.process.kill();
    let _ = server.process.wait();
    let server = serve(std::mem::replace(&mut server.data, tempfile::tempdir().unwrap()));
    let trunks = server.json(&["trunk", "list"]);
    assert_eq!((&trunks["trunks"][0]["form"], &trunks["trunks"][1]), (&set["form"], &json!(null)));
}

#[test]
fn results_begin_with_their_columns_and_a_copy_opens() {
    let server = started();
    let results = server.run(&["results", "--campaign", "Winter Warmth"]);
    assert!(
        text(&results.stdout).starts_with("attempt_id,contact_id,name,number,"),
        "{}",
        text(&results.stdout)
    );
    let copy = server.folder().join("copy.db");
    let copied = server.json(&["backup", copy.to_str().unwrap()]);
    assert_eq!(copied["bytes"], std::fs::metadata(&copy).unwrap().len());
    assert!(server.refused(&["backup", copy.to_str().unwrap()]).contains("is there already"));
    assert!(server.refused(&["backup", "/nowhere/copy.db"]).contains("in the folder /nowhere could not"));
}

#[test]
fn the_server_waits_for_asterisk_stops_when_told_and_starts_again() {
    let mut server = started();
    assert!(server.said.iter().any(|line| line.contains("waiting for Asterisk")), "{:?}", server.said);
    let socket = server.folder().join("control.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let key = server.folder().join("tls/authority.key");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(server.folder()).unwrap().permissions().mode() & 0o777, 0o700);
    let before = server.json(&["status"])["authority"].clone();

    let kill = Command::new("kill").args(["-TERM", &server.process.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert!(server.process.wait().unwrap().success(), "a clean stop");
    assert!(!socket.exists());
    assert!(server.refused(&["status"]).contains("no server runs"));

    let data = std::mem::replace(&mut server.data, tempfile::tempdir().unwrap());
    let again = serve(data);
    assert_eq!(again.json(&["status"])["authority"], before);
    assert_eq!(again.json(&["campaign", "list"])["campaigns"][0]["form"]["name"], "Winter Warmth");
    let open: Vec<PathBuf> = files(&again.folder())
        .into_iter()
        .filter(|file| std::fs::symlink_metadata(file).unwrap().permissions().mode() & 0o077 != 0)
        .collect();
    assert!(open.is_empty(), "open to others on this machine: {open:?}");
    for log in std::fs::read_dir(again.folder().join("logs")).unwrap() {
        let log = std::fs::read_to_string(log.unwrap().path()).unwrap();
        assert!(log.contains("waiting for Asterisk") && !log.contains("canary-password"));
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let here = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut files): (Vec<_>, Vec<_>) = here.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| self::files(folder)));
    files.extend(folders);
    files
}

/// Stops it as a crash does, and gives its data folder.
fn crash(mut server: Server) -> TempDir {
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    std::mem::replace(&mut server.data, tempfile::tempdir().unwrap())
}

fn campaigns(server: &Server) -> Vec<String> {
    let listed = server.json(&["campaign", "list"]);
    let names = listed["campaigns"].as_array().unwrap().iter();
    names.map(|campaign| campaign["form"]["name"].as_str().unwrap().to_owned()).collect()
}

fn restore(data: &Path, file: &Path) -> Output {
    program().arg("restore").arg(file).arg("--data").arg(data).output().unwrap()
}

#[test]
fn a_backup_is_restored_whole_after_a_crash_and_so_is_what_was_there() {
    let other = started();
    let copy = other.data.path().join("monday.db");
    other.json(&["invite", "-c", "Winter Warmth", "-n", "Maya"]);
    other.json(&["backup", copy.to_str().unwrap()]);

    let server = serve(tempfile::tempdir().unwrap());
    let toml = "name = 'Summer'\norganisation = 'L'\norganiser = 'Ruth'\ncaller_id = '020 7946 0001'\nscript = 'Hello'";
    let toml = server.file("summer.toml", toml);
    server.json(&["campaign", "create", "--file", &toml]);
    let running = restore(&server.folder(), &copy);
    assert_eq!(running.status.code(), Some(1));
    assert!(text(&running.stderr).contains("stop the server first"), "{}", text(&running.stderr));

    let data = crash(server);
    let folder = data.path().join("here");
    let left = folder.join("ringround.db-wal");
    assert!(
        std::fs::metadata(&left).unwrap().len() > 0,
        "a crash leaves its last writes beside the database"
    );
    let restored = restore(&folder, &copy);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    let said = text(&restored.stdout);
    let kept = said.lines().find_map(|line| line.strip_prefix("The one that was there is kept: ")).unwrap();
    let kept = PathBuf::from(kept);
    assert!(!left.exists());
    let mode = std::fs::metadata(folder.join("ringround.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let server = serve(data);
    assert_eq!(campaigns(&server), ["Winter Warmth"]);
    assert_eq!(server.json(&["people", "list"])["people"][0]["name"], "Maya");

    // Back to what was there, its last writes included.
    let data = crash(server);
    assert!(restore(&folder, &kept).status.success());
    let server = serve(data);
    assert_eq!(campaigns(&server), ["Summer"]);
    assert_eq!(server.json(&["people", "list"])["people"], json!([]));
}

#[test]
fn a_backup_copied_by_hand_over_a_crashed_database_is_refused_at_the_start() {
    let server = started();
    let copy = server.data.path().join("monday.db");
    server.json(&["backup", copy.to_str().unwrap()]);
    server.json(&["invite", "-c", "Winter Warmth", "-n", "Maya"]);
    let data = crash(server);
    let folder = data.path().join("here");
    std::fs::copy(&copy, folder.join("ringround.db")).unwrap();
    let start = || {
        let mut command = program();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--trunk-kind", "simulated", "--data"])
            .arg(&folder);
        command.env("RINGROUND_ARI_PASSWORD", "x");
        command
    };
    let refused = start().output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("ringround-server restore"), "{}", text(&refused.stderr));

    // Without what the crash left, it is as good as restored, also after the next crash.
    std::fs::remove_file(folder.join("ringround.db-wal")).unwrap();
    let server = serve(data);
    assert_eq!(server.json(&["people", "list"])["people"], json!([]));
    server.json(&["invite", "-c", "Winter Warmth", "-n", "Ben"]);
    let server = serve(crash(server));
    assert_eq!(server.json(&["people", "list"])["people"][0]["name"], "Ben");
}

#[test]
fn what_is_no_whole_backup_is_not_restored() {
    let server = started();
    let copy = server.data.path().join("monday.db");
    server.json(&["backup", copy.to_str().unwrap()]);
    let whole = std::fs::read(&copy).unwrap();
    let mut holes = whole.clone();
    holes[8_192..].fill(0x55);
    let bad = [
        (server.file("text.db", "name,phone"), "no database of Ringround"),
        (server.file("empty.db", ""), "no database of Ringround"),
        (server.file("half.db", &whole[..whole.len() / 2]), "damaged"),
        (server.file("holes.db", holes), "damaged"),
        (server.folder().join("ringround.db").to_str().unwrap().to_owned(), "is the database in use"),
        ("/nowhere/monday.db".to_owned(), "/nowhere/monday.db: No such file"),
    ];
    let data = crash(server);
    let folder = data.path().join("here");
    for (file, why) in bad {
        let refused = restore(&folder, Path::new(&file));
        assert_eq!(refused.status.code(), Some(1), "{file}");
        assert!(text(&refused.stderr).contains(why), "{file}: {}", text(&refused.stderr));
    }
    let left: Vec<PathBuf> =
        files(&folder).into_iter().filter(|file| file.to_string_lossy().contains("restor")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(campaigns(&serve(data)), ["Winter Warmth"]);
}

#[test]
fn a_data_folder_that_was_open_to_others_is_closed() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("here");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = serve(data);
    assert_eq!(std::fs::metadata(server.folder()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(server.said.iter().any(|line| line.contains("open to others")), "{:?}", server.said);
}

#[test]
fn a_second_server_and_a_missing_password_are_told_apart() {
    let server = started();
    let serve = |password: Option<&str>, data: &Path| {
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0", "--trunk-kind", "simulated", "--data"]).arg(data);
        command.env_remove("RINGROUND_ARI_PASSWORD").envs(password.map(|p| ("RINGROUND_ARI_PASSWORD", p)));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr).to_owned()
    };
    assert!(serve(Some("x"), &server.folder()).contains("another ringround-server runs"));
    assert!(serve(None, &server.folder()).contains("password is missing"));
}

#[test]
fn a_server_without_a_name_says_what_its_links_will_say() {
    let data = tempfile::tempdir().unwrap();
    let mut process = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--trunk-kind", "simulated", "--data"])
        .arg(data.path().join("here"))
        .args(["--ari", "http://127.0.0.1:1"])
        .env("RINGROUND_ARI_PASSWORD", "x")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let before = lines.by_ref().take_while(|line| !line.contains("waiting for Asterisk"));
    let warned = before.into_iter().any(|line| line.contains("no --name: links will say https://127.0.0.1:"));
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(warned);
}

#[test]
fn a_wrong_flag_is_named_with_what_is_right() {
    for (args, why) in [
        (&["people", "revoke", "--device", "123"][..], "people list"),
        (&["serve", "--trunk-kind", "sip", "--listen", "18443"][..], "like 0.0.0.0:8443"),
        (&["serve", "--trunk-kind", "sip", "--ari-password-file", "/nope"][..], "--ari-password-file /nope"),
    ] {
        let output = program().args(args).output().unwrap();
        assert!(!output.status.success() && text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
}

#[test]
fn nonsense_on_the_control_socket_is_answered_in_words() {
    let server = started();
    for nonsense in ["{}\n", "\u{0}\n", "{\"command\":\"fly\"}\n", "{\"command\":\"lookup\"}\n"] {
        let mut stream = UnixStream::connect(server.folder().join("control.sock")).unwrap();
        stream.write_all(nonsense.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("does not know this command"), "{nonsense}: {answer}");
    }
    assert_eq!(server.json(&["status"])["health"]["database"], "ready");
}

/// Bytes that a terminal, or whoever reads a list, must not get.
fn speaks(output: &Output) -> Option<char> {
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    said.chars().find(|c| *c != '\n' && protocol::plain::is_unseen(*c))
}

#[test]
fn what_others_wrote_speaks_to_no_terminal_whichever_door_it_came_by() {
    const NASTY: &str = "\u{1b}[31m\u{9b}2J\u{202e}\u{200b}\u{2028}\u{e0041}";
    const UNSEEN: &str = "\u{202e}\u{200b}\u{feff}\u{e0041}";
    let server = started();
    let campaign = format!("Sum{UNSEEN}mer");
    let script = server.file("nasty.txt", format!("Hello{NASTY}, is that {{name}}?\r\n"));
    let form = [
        "--organisation",
        UNSEEN,
        "--organiser",
        "Ruth",
        "--caller-id",
        "020 7946 0000",
        "--script",
        &script,
    ];
    let create = |name: &str, organisation: &str| {
        let mut form = form;
        form[1] = organisation;
        server.run(&[&["campaign", "create", "--name", name], form.as_slice()].concat())
    };
    // Nothing to be seen is no name, and a name with an escape in it is refused, without being repeated.
    let refused = [create(&campaign, UNSEEN), create(&format!("Sum{NASTY}mer"), "Trust")];
    assert!(refused.iter().all(|made| !made.status.success() && speaks(made).is_none()), "{refused:?}");
    assert!(create(&campaign, &format!("{UNSEEN}Trust")).status.success());
    let list =
        format!("name,phone,reference,shoe{NASTY}\nAnn{NASTY} Bell,07700 900001,r{NASTY},\nBea,x{NASTY},,\n");
    let list = server.file(&format!("list{UNSEEN}.csv"), list);
    let nowhere = format!("nowhere{NASTY}");
    let copy = server.data.path().join(&nowhere).to_str().unwrap().to_owned();
    let runs: Vec<Vec<&str>> = vec![
        vec!["import", &list, "-c", "Summer"],
        vec!["import", &list, "-c", &nowhere],
        vec!["import", &nowhere, "-c", "Summer"],
        vec!["invite", "-c", "Summer", "--name", &campaign],
        vec!["invite", "-c", "Summer", "--name", &nowhere],
        vec!["people", "list"],
        vec!["people", "revoke", &nowhere],
        vec!["people", "revoke", "Summer"],
        vec!["people", "undo", &nowhere, "--since", "2h"],
        vec!["people", "undo", "Summer", "--since", &nowhere],
        vec!["trunk", "set", &nowhere, "--prefix", "9"],
        vec!["trunk", "set", "--prefix", &nowhere],
        vec!["trunk", "show", &nowhere],
        vec!["trunk", "list"],
        vec!["lookup", "07700 900001"],
        vec!["lookup", &nowhere],
        vec!["campaign", "pause", "Summer", "--message", &campaign, "--by", &campaign],
        vec!["campaign", "show", "Summer"],
        vec!["campaign", "list"],
        vec!["campaign", "resume", "Summer"],
        vec!["results", "-c", "Summer"],
        vec!["results", "-c", &nowhere],
        vec!["status"],
        vec!["backup", &copy],
        vec!["restore", &nowhere],
    ];
    let tried: std::collections::BTreeSet<&str> =
        runs.iter().map(|run| run[0]).chain(["serve", "help"]).collect();
    let help = server.run(&["--help"]);
    let commands = text(&help.stdout).split_once("Commands:\n").unwrap().1;
    let commands = commands.lines().take_while(|line| !line.is_empty());
    for command in
        commands.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next())
    {
        assert!(tried.contains(command), "try {command} here too");
    }
    for run in &runs {
        for json in [&[][..], &["--json"]] {
            let output = server.run(&[run.as_slice(), json].concat());
            assert_eq!(speaks(&output), None, "{run:?}: {output:?}");
        }
    }
    let found = server.json(&["lookup", "07700 900001"]);
    assert_eq!(found["contacts"][0]["name"], "Ann [31m 2J Bell");
    let shown = server.json(&["campaign", "show", "Summer"]);
    assert_eq!((&shown["form"]["name"], &shown["form"]["organisation"]), (&json!("Summer"), &json!("Trust")));
    assert_eq!(shown["form"]["script"], "Hello[31m2J\n, is that {name}?\n");
    let log = std::fs::read_dir(server.folder().join("logs")).unwrap().next().unwrap().unwrap().path();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(!log.contains(|c| c != '\n' && protocol::plain::is_unseen(c)), "{log}");
}
