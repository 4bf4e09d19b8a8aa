//! What others wrote, in every answer of every command: it never speaks to the terminal, nor to a spreadsheet.

use std::collections::BTreeSet;

use protocol::{
    ids::{AttemptId, DeviceId},
    outcome::Outcome,
};
use uuid::Uuid;

use super::*;
use crate::{
    control::{DeviceSeen, Invited, TrunkSeen},
    health::Health,
    lookup::Found,
    store::contacts::ListCount,
    trunk_form::TrunkForm,
    undo::MarkSeen,
};

/// A colour, a C1 escape, another line over this one, a direction, zero width, a separator, a tag.
const NASTY: &str = "\u{1b}[31m\u{9b}2J\rforged: 0 refused\u{202e}\u{2066}\u{200b}\u{200d}\u{feff}\u{2028}\u{85}\u{e0041}\u{7f}";

fn words_of(answer: &Answer) -> String {
    let mut out = Vec::new();
    words(&mut out, answer).expect("printed");
    String::from_utf8(out).expect("text")
}

fn json_of(answer: &Answer) -> String {
    let mut out = Vec::new();
    json(&mut out, answer).expect("printed");
    String::from_utf8(out).expect("text")
}

fn is_unfit(c: char) -> bool {
    c != '\n' && plain::is_unseen(c)
}

/// The name of an answer. Whoever adds one adds it here, and an example of it to [`examples`].
fn name_of(answer: &Answer) -> &'static str {
    match answer {
        Answer::Status(_) => "status",
        Answer::Campaign(_) => "campaign",
        Answer::Campaigns { .. } => "campaigns",
        Answer::Imported(_) => "imported",
        Answer::Invited(_) => "invited",
        Answer::People { .. } => "people",
        Answer::Revoked { .. } => "revoked",
        Answer::Undone(_) => "undone",
        Answer::Trunk(_) => "trunk",
        Answer::Trunks { .. } => "trunks",
        Answer::LookedUp(_) => "looked-up",
        Answer::BackedUp { .. } => "backed-up",
        Answer::Restored { .. } => "restored",
        Answer::Results { .. } => "results",
        Answer::Refused { .. } => "refused",
    }
}

const NAMES: [&str; 15] = [
    "status",
    "campaign",
    "campaigns",
    "imported",
    "invited",
    "people",
    "revoked",
    "undone",
    "trunk",
    "trunks",
    "looked-up",
    "backed-up",
    "restored",
    "results",
    "refused",
];

/// One of each answer, with something in every place where others may have written.
fn examples() -> Vec<Answer> {
    let device = DeviceId::new(Uuid::nil());
    let form = toml::from_str(
        "name = 'Winter Warmth'\norganisation = 'Lantern Street Trust'\norganiser = 'Ruth'\n\
         caller_id = '+442079460000'\nscript = 'Hello'",
    )
    .expect("a form");
    let campaign = CampaignSeen {
        id: "id".into(),
        form,
        paused_by: Some("Ruth".into()),
        pause_message: Some("Tea".into()),
        list: ListCount { contacts: 1, open: 1, due: 1, done: 0 },
    };
    let health = Health {
        version: "0.1.0".into(),
        database: health::Database::Ready,
        asterisk: health::Asterisk::NoTrunk,
    };
    let mut report = Report::new("list.csv");
    (report.kept, report.warned) = (1, 1);
    report.ignored_columns.push("shoe size".into());
    report.refuse(Refused { line: 2, column: "phone".into(), why: "empty".into() });
    report.warnings.push(Refused { line: 3, column: "phone".into(), why: "dear".into() });
    let trunk = TrunkSeen { name: "trunk".into(), form: TrunkForm::default(), calls: None };
    vec![
        Answer::Status(Status {
            health,
            address: "127.0.0.1:8443".into(),
            origin: url::Url::parse("https://localhost:8443").expect("a URL"),
            authority: Some("pin".into()),
            without_sound: vec![WithoutSound {
                volunteer: "Maya".into(),
                device: "Maya's laptop".into(),
                since_ms: 0,
            }],
            trunk: Trunk::Open,
            trunk_calls: Some(Box::new(trunk.clone())),
        }),
        Answer::Campaign(Box::new(campaign.clone())),
        Answer::Campaigns { campaigns: vec![campaign] },
        Answer::Imported(report),
        Answer::Invited(Invited {
            link: "ringround://join/?x".into(),
            name: "Maya".into(),
            known: true,
            campaign: "Winter Warmth".into(),
            expires_at: 0,
        }),
        Answer::People {
            people: vec![PersonSeen {
                id: "id".into(),
                name: "Maya".into(),
                revoked_at: None,
                devices: vec![DeviceSeen {
                    id: device,
                    name: "Maya's laptop".into(),
                    campaign: "Winter Warmth".into(),
                    revoked_at: None,
                    signed_in: true,
                }],
            }],
        },
        Answer::Revoked { person: Some("Maya".into()), devices: vec![device] },
        Answer::Undone(Undone {
            since: 0,
            until: 1,
            by: "Ruth".into(),
            done: false,
            signed_in: vec!["Maya's laptop".into()],
            marks: vec![MarkSeen {
                at: 0,
                name: "Margaret Hollis".into(),
                campaign: "Winter Warmth".into(),
                marked: "do-not-call".into(),
                outcome: Some(Outcome::DoNotCall),
                then: Then::AsItWas,
            }],
            count: 1,
            open_again: 0,
        }),
        Answer::Trunk(trunk.clone()),
        Answer::Trunks { trunks: vec![trunk] },
        Answer::LookedUp(LookedUp {
            number: "+447700900001".into(),
            do_not_call_since: Some(0),
            contacts: vec![Found {
                contact_id: "id".into(),
                campaign: "Winter Warmth".into(),
                name: "Margaret Hollis".into(),
                reference: Some("A-1".into()),
                attempts: 1,
                last_outcome: Some(Outcome::Busy),
                due_at: None,
            }],
        }),
        Answer::BackedUp { file: "copy.db".into(), bytes: 1 },
        Answer::Restored { file: "copy.db".into(), data: "here".into(), kept: Some("before.db".into()) },
        Answer::Results { rows: vec![result()], more: false },
        Answer::Refused { message: "there is no campaign \"Summer\"".into() },
    ]
}

fn result() -> ResultRow {
    ResultRow {
        attempt_id: AttemptId::new(Uuid::nil()),
        contact_id: "id".into(),
        name: "Margaret Hollis".into(),
        number: "+447700900001".into(),
        reference: Some("A-1".into()),
        volunteer: "Maya".into(),
        device_id: "id".into(),
        state: "closed".into(),
        dialled_at: 0,
        ringing_at: None,
        answered_at: None,
        ended_at: None,
        ended_by: Some("callee".into()),
        cause: Some(16),
        sip: Some(200),
        outcome: Some("reached".into()),
        written_by: Some("volunteer".into()),
        note: Some("one\ntwo".into()),
        again_at: None,
    }
}

/// The same, with something behind every text that may be anything.
fn with<T: Serialize + DeserializeOwned + Clone>(value: &T, more: &str) -> T {
    fn places(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(path.to_owned()),
            Value::Array(values) => {
                values.iter().enumerate().for_each(|(n, value)| places(value, &format!("{path}/{n}"), found));
            }
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| places(value, &format!("{path}/{name}"), found));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut changed = serde_json::to_value(value).expect("json");
    let mut found = Vec::new();
    places(&changed, "", &mut found);
    let mut written = 0;
    for place in found {
        let before = changed.clone();
        let text = changed.pointer_mut(&place).expect("it was there");
        *text = Value::String(text.as_str().expect("a text").to_owned() + more);
        // Words of our own and ids take nothing.
        if serde_json::from_value::<T>(changed.clone()).is_ok() { written += 1 } else { changed = before }
    }
    assert!(written > 0, "nobody could write anything: {changed}");
    serde_json::from_value(changed).expect("as before")
}

#[test]
fn no_answer_lets_others_speak_to_the_terminal() {
    let examples = examples();
    let names: BTreeSet<&str> = examples.iter().map(name_of).collect();
    assert_eq!(names, NAMES.into_iter().collect(), "an example of each");
    for example in &examples {
        let (plain, nasty) = (words_of(example), with(example, NASTY));
        let said = words_of(&nasty);
        assert!(!said.contains(is_unfit), "{}: {said:?}", name_of(example));
        assert_eq!(said.lines().count(), plain.lines().count(), "no line is forged: {said}");

        let raw = json_of(&nasty);
        assert!(!raw.contains(is_unfit) && raw.lines().count() == 1, "{}: {raw:?}", name_of(example));
        assert_eq!(
            serde_json::from_str::<Answer>(&raw).expect("json"),
            nasty,
            "a program reads what was written"
        );
        assert_eq!(json_of(example), serde_json::to_string(example).expect("json") + "\n");
    }
}

#[test]
fn status_says_of_a_provider_that_knows_no_number_that_it_may_want_another_form() {
    let mut examples = examples();
    let Some(Answer::Status(status)) = examples.first_mut() else { panic!("the first is a status") };
    status.health.asterisk = health::Asterisk::NoCalls;
    let next_try = NextTry::Later { at_ms: 60_000 };
    status.trunk = Trunk::Shut { complaint: protocol::trunk::Complaint::Number, since_ms: 0, next_try };
    let said = words_of(&examples[0]);
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let what = lines
        .iter()
        .position(|line| line.starts_with("the telephone provider knows none of the numbers, since"));
    let mend = what.and_then(|at| lines.get(at + 1)).copied();
    assert_eq!(
        mend,
        Some("the provider may want another form of numbers: see ringround-server trunk set --number-form"),
        "{said}"
    );
    assert!(said.contains("Asterisk and the telephone provider answer, and no call goes through"), "{said}");
}

#[test]
fn a_line_break_in_a_name_forges_no_line() {
    for example in examples().iter().filter(|example| !matches!(example, Answer::Campaign(_))) {
        let said = words_of(&with(example, "\nlist.csv: 900 kept, 0 refused"));
        assert_eq!(said.lines().count(), words_of(example).lines().count(), "{said}");
    }
}

/// The rows of an export, as a spreadsheet reads them.
fn exported(row: &ResultRow) -> Vec<String> {
    let mut out = Vec::new();
    let mut results = Results::new(Format::Csv, &mut out).expect("a head");
    results.row(row).expect("a row");
    results.end().expect("all of it");
    let mut cells = csv::Reader::from_reader(out.as_slice());
    cells
        .records()
        .flat_map(|record| record.expect("csv").iter().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn an_export_lets_nobody_speak_to_the_terminal_and_notes_keep_their_lines() {
    let cells = exported(&with(&result(), NASTY));
    assert!(cells.iter().all(|cell| !cell.contains(is_unfit)), "{cells:?}");
    assert!(cells.iter().any(|cell| cell.starts_with("one\ntwo")));
}

#[test]
fn no_cell_of_an_export_starts_a_formula() {
    for begins in ["=", "+", "-", "@", "＝", "＋", "－", "＠"] {
        for before in
            ["", " ", "\u{a0}\u{3000}", "\"", "'", "\t", "\r", "\n", "\u{200b}", "; ", "x;\"", "x\r\n", "“ "]
        {
            let formula = format!("{before}{begins}cmd|'/C calc'!A0");
            let row = ResultRow {
                name: formula.clone(),
                reference: Some(formula.clone()),
                volunteer: formula.clone(),
                note: Some(formula.clone()),
                ..result()
            };
            for cell in exported(&row) {
                for part in cell.split([';', '\n']) {
                    let part = part.trim_matches(|c: char| {
                        c.is_whitespace() || matches!(c, '"' | '“' | char::REPLACEMENT_CHARACTER)
                    });
                    assert!(!part.starts_with(BEGINS_A_FORMULA), "{cell:?} of {formula:?}");
                }
            }
        }
    }
    assert_eq!(cell("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
    assert_eq!(cell("asked for a call - at 5 + x = y"), "asked for a call - at 5 + x = y");
}

#[test]
fn a_telephone_number_keeps_its_plus_and_can_be_imported_again() {
    let cells = exported(&result());
    assert!(cells.contains(&"'+447700900001".to_owned()), "{cells:?}");
    let read = crate::number::read("'+447700900001", "GB").expect("as a spreadsheet wrote it");
    assert_eq!(read.number.e164(), "+447700900001");
}
