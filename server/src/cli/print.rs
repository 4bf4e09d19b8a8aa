//! Answers in words, for people, and as they are, for programs.
//!
//! Much of an answer was written by others: names, notes, lists. In words, every text of it goes through
//! [`protocol::plain`] before anything is printed ([`fit`]), so that no command can forget to; as JSON it stays
//! what it is, with escapes for what a terminal must not get ([`Escaped`]); and no cell of a CSV file starts a
//! formula ([`cell`]).

use std::{
    borrow::Cow,
    io::{self, Write},
};

use jiff::Timestamp;
use protocol::{
    plain,
    trunk::{NextTry, Trunk},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{
    Value,
    ser::{Formatter, Serializer},
};

use super::{Format, trunk};
use crate::{
    control::{Answer, CampaignSeen, PersonSeen, Status, WithoutSound},
    health,
    import::{Abroad, Refused, Report},
    lookup::LookedUp,
    store::results::ResultRow,
    undo::{Then, Undone},
};

/// One line of JSON.
///
/// # Errors
/// When it cannot be written.
pub fn json(out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    line_of_json(out, answer)
}

/// Plain English.
///
/// # Errors
/// When it cannot be written.
pub fn words(out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    match &fit(answer)? {
        Answer::Status(status) => print_status(out, status),
        Answer::Campaign(campaign) => print_campaign(out, campaign),
        Answer::Campaigns { campaigns } if campaigns.is_empty() => {
            writeln!(out, "No campaign yet. How to make one: ringround-server campaign create --help")
        }
        Answer::Campaigns { campaigns } => {
            let mut table =
                Table::new(["CAMPAIGN", "ON THE LIST", "MAY BE RUNG", "DUE", "DONE", "STATE", "ID"]);
            for campaign in campaigns {
                table.row([
                    campaign.form.name.clone(),
                    campaign.list.contacts.to_string(),
                    campaign.list.open.to_string(),
                    campaign.list.due.to_string(),
                    campaign.list.done.to_string(),
                    if campaign.paused_by.is_some() { "paused" } else { "open" }.into(),
                    campaign.id.clone(),
                ]);
            }
            table.print(out)
        }
        Answer::Imported(report) => print_report(out, report),
        Answer::Invited(invited) => {
            let again = if invited.known { ", who was here before" } else { "" };
            writeln!(
                out,
                "Send this link to {}{again}. It works once, until {}, for {}:",
                invited.name,
                time(invited.expires_at),
                invited.campaign
            )?;
            writeln!(out, "{}", invited.link)
        }
        Answer::People { people } => print_people(out, people),
        Answer::Revoked { person, devices } => {
            let who = person.as_deref().unwrap_or("The device");
            writeln!(out, "{who} is switched off, with {}.", count(devices.len(), "computer", "computers"))
        }
        Answer::Undone(undone) => print_undone(out, undone),
        Answer::Trunk(trunk) => trunk::print(out, trunk),
        Answer::Trunks { trunks } => trunk::print_all(out, trunks),
        Answer::LookedUp(found) => print_look_up(out, found),
        Answer::BackedUp { file, bytes } => {
            writeln!(
                out,
                "Wrote {} ({bytes} bytes). It holds names and whole numbers: keep it safe.",
                file.display()
            )
        }
        Answer::Restored { file, data, kept } => {
            writeln!(out, "The database is the one of {} now.", file.display())?;
            if let Some(kept) = kept {
                writeln!(out, "The one that was there is kept: {}", kept.display())?;
            }
            writeln!(out, "Start the server: ringround-server serve --data {} ...", data.display())
        }
        Answer::Results { rows, .. } => writeln!(out, "{}", count(rows.len(), "attempt", "attempts")),
        Answer::Refused { message } => writeln!(out, "{message}"),
    }
}

fn print_status(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    let database = match status.health.database {
        health::Database::Ready => "ready",
        health::Database::NoStorage => "cannot be written: the disk is full or read-only",
        health::Database::Fault => "does not answer; the log says why",
    };
    let asterisk = match status.health.asterisk {
        health::Asterisk::Ready => "ready",
        health::Asterisk::Waiting => {
            "waiting for Asterisk: nothing can be dialled; it does not answer, or another server is connected to it (the log says which)"
        }
        health::Asterisk::NoTrunk => "Asterisk answers, the telephone provider does not",
        health::Asterisk::NoCalls => "Asterisk and the telephone provider answer, and no call goes through",
    };
    writeln!(out, "Version    {}", status.health.version)?;
    writeln!(out, "Address    {} (listens on {})", status.origin, status.address)?;
    if let Some(authority) = &status.authority {
        writeln!(out, "Authority  {authority} (SHA-256 of its public key)")?;
    }
    writeln!(out, "Database   {database}")?;
    writeln!(out, "Telephone  {asterisk}")?;
    if status.health.asterisk == health::Asterisk::NoTrunk {
        writeln!(out, "           {}", health::CHECK_THE_TRUNK)?;
    }
    if let Trunk::Shut { complaint, since_ms, next_try } = status.trunk {
        let what = health::complaint_in_words(complaint);
        let next = match next_try {
            NextTry::Later { at_ms } => format!("tried again at {}", time(at_ms)),
            NextTry::Yours | NextTry::Others => "a volunteer's next call tries it".to_owned(),
        };
        writeln!(out, "           {what}, since {}; {next}", time(since_ms))?;
        writeln!(out, "           {}", health::what_to_mend(complaint))?;
    }
    for WithoutSound { volunteer, device, since_ms } in &status.without_sound {
        let since = time(*since_ms);
        writeln!(
            out,
            "Sound      does not get through to {volunteer} ({device}) since {since}: nobody is rung for them"
        )?;
    }
    if !status.without_sound.is_empty() {
        writeln!(out, "           {}", health::CHECK_THE_WAY_OF_SOUND)?;
    }
    if let Some(seen) = &status.trunk_calls {
        writeln!(out, "Trunk      {}: {}", seen.name, trunk::calls(seen))?;
    }
    Ok(())
}

fn print_campaign(out: &mut dyn Write, campaign: &CampaignSeen) -> io::Result<()> {
    let form = &campaign.form;
    writeln!(out, "{} ({})", form.name, campaign.id)?;
    writeln!(out, "  For        {}, organiser {}", form.organisation, form.organiser)?;
    writeln!(out, "  Caller ID  {}", form.caller_id)?;
    writeln!(out, "  Hours      {}, {} ({})", form.hours, form.time_zone, form.country)?;
    let abroad = if form.abroad { "by the hours there too" } else { "nobody" };
    writeln!(out, "  Abroad     {abroad}")?;
    writeln!(out, "  Attempts   at most {}, {} apart", form.attempts_allowed, form.spacing)?;
    let list = &campaign.list;
    writeln!(
        out,
        "  List       {}: {} may be rung, {} of them now; {} done",
        count(usize::try_from(list.contacts).unwrap_or(usize::MAX), "contact", "contacts"),
        list.open,
        list.due,
        list.done
    )?;
    if let Some(by) = &campaign.paused_by {
        let message = campaign.pause_message.as_deref().unwrap_or("no message");
        writeln!(out, "  Paused     by {by}: {message}")?;
    }
    writeln!(out, "  Script")?;
    form.script.trim().lines().try_for_each(|line| writeln!(out, "    {line}"))
}

fn print_report(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    if !report.rows.is_empty() {
        writeln!(out, "Refused:")?;
        print_rows(out, &report.rows, report.refused)?;
    }
    if !report.warnings.is_empty() {
        writeln!(out, "Kept, but look at them:")?;
        print_rows(out, &report.warnings, report.warned)?;
    }
    if !report.abroad.is_empty() {
        writeln!(out, "Abroad, rung while it is calling time in the campaign's zone and in all of these:")?;
        print_abroad(out, &report.abroad)?;
    }
    if !report.ignored_columns.is_empty() {
        writeln!(out, "Columns that mean nothing here: {}", report.ignored_columns.join(", "))?;
    }
    if report.kept + report.refused == 0 {
        return writeln!(
            out,
            "{}: there are no rows below the first line; nothing was imported",
            report.source
        );
    }
    writeln!(out, "{}: {} kept, {} refused", report.source, report.kept, report.refused)
}

fn print_rows(out: &mut dyn Write, rows: &[Refused], all: u64) -> io::Result<()> {
    let mut table = Table::new(["  LINE", "COLUMN", "REASON"]);
    for row in rows {
        table.row([format!("  {}", row.line), row.column.clone(), row.why.clone()]);
    }
    table.print(out)?;
    let listed = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    if all > listed {
        writeln!(out, "  and {} more", all - listed)?;
    }
    Ok(())
}

fn print_abroad(out: &mut dyn Write, groups: &[Abroad]) -> io::Result<()> {
    const LISTED: usize = 30;
    let mut table = Table::new(["  ROWS", "TIME ZONES", "NEXT", "LINES"]);
    for group in groups.iter().take(LISTED) {
        let lines: Vec<String> = group.lines.iter().map(u64::to_string).collect();
        let more = if group.rows > lines.len() as u64 { ", .." } else { "" };
        table.row([
            format!("  {}", group.rows),
            group.zones.clone(),
            time(group.opens_at),
            format!("{}{more}", lines.join(", ")),
        ]);
    }
    table.print(out)?;
    match groups.get(LISTED..) {
        None | Some([]) => Ok(()),
        Some(more) => writeln!(
            out,
            "  and {} more rows in other time zones",
            more.iter().map(|group| group.rows).sum::<u64>()
        ),
    }
}

fn print_people(out: &mut dyn Write, people: &[PersonSeen]) -> io::Result<()> {
    if people.is_empty() {
        return writeln!(
            out,
            "Nobody yet. Invite someone with: ringround-server invite --campaign CAMPAIGN --name NAME"
        );
    }
    let mut table = Table::new(["PERSON", "STATE", "COMPUTER", "CAMPAIGN", "ID"]);
    for person in people {
        let off = |revoked: Option<i64>| revoked.map(|at| format!("off since {}", time(at)));
        let state = match (off(person.revoked_at), person.devices.is_empty()) {
            (Some(off), _) => off,
            (None, true) => "invited".into(),
            (None, false) => "active".into(),
        };
        table.row([person.name.clone(), state, String::new(), String::new(), person.id.clone()]);
        for device in &person.devices {
            let state = off(device.revoked_at)
                .unwrap_or_else(|| if device.signed_in { "signed in" } else { "signed out" }.into());
            table.row([
                String::new(),
                state,
                device.name.clone(),
                device.campaign.clone(),
                device.id.to_string(),
            ]);
        }
    }
    table.print(out)
}

fn print_undone(out: &mut dyn Write, undone: &Undone) -> io::Result<()> {
    let since = time(undone.since);
    if undone.count == 0 {
        return writeln!(out, "Nothing was marked since {since}, or it was taken back before.");
    }
    if undone.done {
        let people = count(undone.open_again, "contact", "contacts");
        return writeln!(
            out,
            "Taken back by {}: {}. {people} may be rung again.",
            undone.by,
            count(undone.count, "mark", "marks")
        );
    }
    let mut table = Table::new(["WHEN", "NAME", "CAMPAIGN", "MARKED", "THEN"]);
    for mark in &undone.marks {
        let then = match mark.then {
            Then::Due(at) => format!("rung again from {}", time(at)),
            Then::Done => "done all the same".to_owned(),
            Then::AsItWas => "stays: rung since, or marked by somebody else too".to_owned(),
        };
        table.row([time(mark.at), mark.name.clone(), mark.campaign.clone(), mark.marked.clone(), then]);
    }
    table.print(out)?;
    if undone.count > undone.marks.len() {
        writeln!(out, "and {} more", undone.count - undone.marks.len())?;
    }
    for computer in &undone.signed_in {
        writeln!(
            out,
            "{computer} is still signed in and may go on; switch it off with: ringround-server people revoke"
        )?;
    }
    let marks = count(undone.count, "mark", "marks");
    writeln!(out, "{marks} since {since}, to be taken back in the name of {}.", undone.by)
}

fn print_look_up(out: &mut dyn Write, found: &LookedUp) -> io::Result<()> {
    match found.do_not_call_since {
        Some(since) => writeln!(out, "{}: asked on {} never to be rung again", found.number, time(since))?,
        None => writeln!(out, "{}: not on the do-not-call list", found.number)?,
    }
    if found.contacts.is_empty() {
        return writeln!(out, "On no list.");
    }
    let mut table = Table::new(["NAME", "CAMPAIGN", "ATTEMPTS", "LAST", "NEXT", "REFERENCE", "CONTACT"]);
    for contact in &found.contacts {
        table.row([
            contact.name.clone(),
            contact.campaign.clone(),
            contact.attempts.to_string(),
            contact.last_outcome.map_or("-", |outcome| outcome.word()).to_owned(),
            contact.due_at.map_or_else(|| "never".into(), |due| format!("from {}", time(due))),
            contact.reference.clone().unwrap_or_default(),
            contact.contact_id.clone(),
        ]);
    }
    table.print(out)
}

/// Results, a row at a time.
pub struct Results<'a> {
    format: Format,
    out: &'a mut dyn Write,
}

const COLUMNS: [&str; 19] = [
    "attempt_id",
    "contact_id",
    "name",
    "number",
    "reference",
    "volunteer",
    "device_id",
    "state",
    "dialled_at",
    "ringing_at",
    "answered_at",
    "ended_at",
    "ended_by",
    "cause",
    "sip",
    "outcome",
    "written_by",
    "note",
    "again_at",
];

impl<'a> Results<'a> {
    /// Writes the head of the table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(format: Format, out: &'a mut dyn Write) -> io::Result<Self> {
        let mut results = Self { format, out };
        if format == Format::Csv {
            results.csv(COLUMNS.map(str::to_owned))?;
        }
        Ok(results)
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        if self.format == Format::Json {
            return line_of_json(self.out, row);
        }
        let row = fit(row)?;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let at = |ms: Option<i64>| ms.map(time).unwrap_or_default();
        self.csv([
            row.attempt_id.to_string(),
            row.contact_id.clone(),
            row.name.clone(),
            row.number.clone(),
            text(&row.reference),
            row.volunteer.clone(),
            row.device_id.clone(),
            row.state.clone(),
            time(row.dialled_at),
            at(row.ringing_at),
            at(row.answered_at),
            at(row.ended_at),
            text(&row.ended_by),
            row.cause.map(|cause| cause.to_string()).unwrap_or_default(),
            row.sip.map(|sip| sip.to_string()).unwrap_or_default(),
            text(&row.outcome),
            text(&row.written_by),
            text(&row.note),
            at(row.again_at),
        ])
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// When what is left cannot be written.
    pub fn end(self) -> io::Result<()> {
        self.out.flush()
    }

    fn csv(&mut self, fields: [String; 19]) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        writer.write_record(fields.map(|field| cell(&field)))?;
        writer.flush()
    }
}

/// What a spreadsheet takes for the beginning of a formula, in both widths.
const BEGINS_A_FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A cell that no spreadsheet runs as a formula: an apostrophe stands before what would begin one, as OWASP has it.
/// It does so too behind spaces and quotation marks, which some readers take off, and where a reader that separates
/// by semicolons, or ends a row at every line break, would see another cell begin. Telephone numbers get it as
/// well: with it a spreadsheet keeps their plus and all digits, and `import` takes it off.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 1);
    let mut begins = true;
    for c in text.chars() {
        if begins && BEGINS_A_FORMULA.contains(&c) {
            safe.push('\'');
        }
        let passed_over =
            c.is_whitespace() || matches!(c, '"' | '\'' | '“' | '”' | char::REPLACEMENT_CHARACTER);
        begins = matches!(c, ';' | '\n') || (begins && passed_over);
        safe.push(c);
    }
    safe
}

/// The same answer, with every text in it fit for a terminal. Scripts and notes keep their lines.
fn fit<T: Serialize + DeserializeOwned>(answer: &T) -> io::Result<T> {
    fn walk(value: &mut Value, shown: fn(&str) -> Cow<'_, str>) {
        match value {
            Value::String(text) => *text = shown(text).into_owned(),
            Value::Array(values) => values.iter_mut().for_each(|value| walk(value, shown)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    let has_lines = matches!(name.as_str(), "script" | "note");
                    walk(value, if has_lines { plain::shown_lines } else { plain::shown });
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut value = serde_json::to_value(answer)?;
    walk(&mut value, plain::shown);
    Ok(serde_json::from_value(value)?)
}

fn line_of_json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Escaped))?;
    writeln!(out)
}

/// JSON on one line, in which everything that nobody sees is an escape: a program reads the same text, and a
/// terminal is told nothing.
struct Escaped;

impl Formatter for Escaped {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(plain::is_unseen) {
            let (seen, unseen) = rest.split_at(at);
            out.write_all(seen.as_bytes())?;
            let mut chars = unseen.chars();
            for unit in chars.next().unwrap_or_default().encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

fn count(number: usize, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
}

/// Columns as wide as their widest field.
struct Table<const N: usize>(Vec<[String; N]>);

impl<const N: usize> Table<N> {
    fn new(head: [&str; N]) -> Self {
        Self(vec![head.map(str::to_owned)])
    }

    fn row(&mut self, fields: [String; N]) {
        self.0.push(fields);
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = [0; N];
        for row in &self.0 {
            for (width, field) in widths.iter_mut().zip(row) {
                *width = (*width).max(field.chars().count());
            }
        }
        for row in &self.0 {
            let fields = row.iter().zip(widths).map(|(field, width)| format!("{field:width$}"));
            writeln!(out, "{}", fields.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "print_tests.rs"]
mod others_words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_line_column_and_reason() {
        let mut report = Report::new("list.csv");
        report.kept = 2;
        report.refuse(Refused { line: 3, column: "phone".into(), why: "empty".into() });
        let mut out = Vec::new();
        words(&mut out, &Answer::Imported(report)).expect("printed");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            text,
            "Refused:\n  LINE  COLUMN  REASON\n  3     phone   empty\nlist.csv: 2 kept, 1 refused\n"
        );
    }

    #[test]
    fn numbers_abroad_take_a_line_for_each_set_of_zones() {
        let mut report = Report::new("list.csv");
        report.kept = 8;
        report.abroad(2, "Europe/Paris".into(), 1_784_019_600_000);
        (3..10).for_each(|line| {
            report.abroad(line, "America/Adak, America/Anchorage".into(), 1_784_048_400_000)
        });
        report.close();
        let mut out = Vec::new();
        words(&mut out, &Answer::Imported(report)).expect("printed");
        let text = String::from_utf8(out).expect("text");
        let expected = "\
Abroad, rung while it is calling time in the campaign's zone and in all of these:
  ROWS  TIME ZONES                       NEXT                  LINES
  7     America/Adak, America/Anchorage  2026-07-14T17:00:00Z  3, 4, 5, 6, 7, ..
  1     Europe/Paris                     2026-07-14T09:00:00Z  2
list.csv: 8 kept, 0 refused
";
        assert_eq!(text, expected);
    }
}
