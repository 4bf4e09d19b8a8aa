//! `people undo`: lists what would be taken back, asks, and takes it back.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use clap::Args;
use protocol::ids::DeviceId;

use super::{device, since::since};
use crate::control::{Answer, Command, client};

/// Flags of `people undo`.
#[derive(Debug, Args)]
pub struct Undo {
    /// Name or id of the person; all their computers
    #[arg(required_unless_present = "device")]
    person: Option<String>,
    /// Only this computer (its id is in: people list)
    #[arg(long, conflicts_with = "person", value_name = "ID", value_parser = device)]
    device: Option<DeviceId>,
    /// From when on: a time of today (14:30), a date and time (2026-11-30 14:30), or how long ago (2h)
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: i64,
    /// Who decides so, for the records [default: the campaign's organiser]
    #[arg(long)]
    by: Option<String>,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

/// Runs it: what is done is what was listed.
///
/// # Errors
/// What the server refused, in words.
pub fn run(data: &Path, json: bool, undo: Undo, out: &mut dyn Write) -> Result<ExitCode, String> {
    let mut command = Command::PeopleUndo {
        person: undo.person.unwrap_or_default(),
        device: undo.device,
        since: undo.since,
        until: None,
        by: undo.by,
        done: false,
    };
    let listed = ask(data, &command)?;
    let Answer::Undone(found) = &listed else {
        return Err(format!("the server answered something else: {listed:?}"));
    };
    let asks =
        !undo.yes && !json && found.count > 0 && io::stdin().is_terminal() && io::stdout().is_terminal();
    if !(undo.yes && json) || found.count == 0 {
        super::print_answer(out, json, &listed)?;
    }
    if found.count == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let agreed = undo.yes || asks && agrees(out).map_err(|e| e.to_string())?;
    if !agreed {
        if !json {
            writeln!(out, "Nothing was taken back. With --yes it is done.").map_err(|e| e.to_string())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::PeopleUndo { until, done, .. } = &mut command {
        (*until, *done) = (Some(found.until), true);
    }
    super::print_answer(out, json, &ask(data, &command)?)?;
    Ok(ExitCode::SUCCESS)
}

fn ask(data: &Path, command: &Command) -> Result<Answer, String> {
    let answer = client::ask(data, command, None).map_err(|e| e.to_string())?;
    if let Answer::Refused { message } = answer {
        return Err(message);
    }
    Ok(answer)
}

fn agrees(out: &mut dyn Write) -> io::Result<bool> {
    write!(out, "Take all of it back? Type yes: ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}
