//! Answers in words, for people, and as they are, for programs.

use std::io::{self, Write};

use jiff::Timestamp;
use protocol::trunk::{NextTry, Trunk};
use serde::Serialize;

use super::Format;
use crate::{
    control::{Answer, CampaignSeen, PersonSeen, Status},
    health,
    import::{Refused, Report},
    lookup::LookedUp,
    store::results::ResultRow,
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
    match answer {
        Answer::Status(status) => print_status(out, status),
        Answer::Campaign(campaign) => print_campaign(out, campaign),
        Answer::Campaigns { campaigns } if campaigns.is_empty() => {
            writeln!(out, "No campaign yet. Make one with: ringround-server campaign create")
        }
        Answer::Campaigns { campaigns } => {
            let mut table =
                Table::new(["CAMPAIGN", "ON THE LIST", "MAY BE RUNG", "DUE NOW", "DONE", "STATE", "ID"]);
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
    Ok(())
}

fn print_campaign(out: &mut dyn Write, campaign: &CampaignSeen) -> io::Result<()> {
    let form = &campaign.form;
    writeln!(out, "{} ({})", form.name, campaign.id)?;
    writeln!(out, "  For        {}, organiser {}", form.organisation, form.organiser)?;
    writeln!(out, "  Caller ID  {}", form.caller_id)?;
    writeln!(out, "  Hours      {}, {} ({})", form.hours, form.time_zone, form.country)?;
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

fn print_people(out: &mut dyn Write, people: &[PersonSeen]) -> io::Result<()> {
    if people.is_empty() {
        return writeln!(out, "Nobody yet. Invite someone with: ringround-server invite");
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
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let at = |ms: Option<i64>| ms.map(time).unwrap_or_default();
        self.csv([
            row.attempt_id.to_string(),
            row.contact_id.clone(),
            harmless(&row.name),
            row.number.clone(),
            harmless(&text(&row.reference)),
            harmless(&row.volunteer),
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
            harmless(&text(&row.note)),
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
        writer.write_record(&fields)?;
        writer.flush()
    }
}

/// A spreadsheet takes a text that begins like this for a formula, and runs it.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn line_of_json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
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
mod tests {
    use super::*;

    #[test]
    fn a_note_cannot_be_a_formula() {
        assert_eq!(harmless("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(harmless("asked for a call"), "asked for a call");
    }

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
}
