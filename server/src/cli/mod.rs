//! The command line. What it says is all a newcomer needs.

pub mod print;
pub mod serve;
pub mod since;
pub mod trunk;
pub mod undo;

use std::{
    env,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use protocol::{
    ids::{AttemptId, DeviceId},
    plain,
};
use url::Url;

use crate::{
    app::{self, StartError},
    campaign_form::{self, CampaignForm},
    control::{Answer, Command, client},
    store,
};

/// The Ringround server: volunteers' apps on one side, Asterisk on the other.
///
/// `serve` runs it, `restore` needs it stopped. All other commands talk to the running server through
/// a socket in its data folder, so they must run on the same machine, as the same user, with the same
/// --data.
#[derive(Debug, Parser)]
#[command(name = "ringround-server", version, after_help = FIRST_STEPS)]
pub struct Cli {
    /// Folder of the database, certificates, logs and the control socket
    /// [default: $XDG_DATA_HOME/ringround-server]
    #[arg(long, global = true, value_name = "DIR", env = "RINGROUND_DATA")]
    data: Option<PathBuf>,
    /// Print the answer as JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    /// What to do.
    #[command(subcommand)]
    pub wish: Wish,
}

const FIRST_STEPS: &str = "\
First steps:
  ringround-server serve --name calls.example.org --trunk-kind sip \\
      --ari-password-file /srv/ringround/node/ari-password
  ringround-server campaign create --file campaign.toml
  ringround-server import people.csv --campaign \"Winter Warmth\"
  ringround-server invite --campaign \"Winter Warmth\" --name Maya
  ringround-server results --campaign \"Winter Warmth\" > results.csv";

/// A command.
#[derive(Debug, Subcommand)]
pub enum Wish {
    /// Run the server until it is told to stop (SIGTERM or Ctrl-C)
    ///
    /// Calls in progress go on in Asterisk while the server is stopped, and are taken over at the
    /// next start.
    Serve(Box<serve::Serve>),
    /// Say how the running server is: its address, its database, its Asterisk
    Status,
    /// Make, show, pause and resume campaigns
    #[command(subcommand)]
    Campaign(CampaignWish),
    /// Put contacts from a CSV file on a campaign's list
    ///
    /// The first line names the columns: name,phone and, where wanted,
    /// form_of_address,flag,context,reference; separated by commas, semicolons or tabs, in UTF-8. A number
    /// without + is read as one of the campaign's country. Rows that are on the list already stay as
    /// they are. Each row that is refused is reported with its line, column and reason, up to 5,000 of them
    /// (all are counted: mend those, and import the file again); the good rows
    /// are kept, all at once: after an error of the whole file, or of the disk, none is.
    Import {
        /// The file; - reads standard input
        file: PathBuf,
        /// Name or id of the campaign
        #[arg(long, short)]
        campaign: String,
    },
    /// Make a link by which one volunteer joins with one computer
    ///
    /// Send the link to that person only: whoever opens it first is in. It works once. For a second
    /// computer, invite the same name again.
    Invite {
        /// Name or id of the campaign
        #[arg(long, short)]
        campaign: String,
        /// The volunteer's name, as callees hear it
        #[arg(long, short)]
        name: String,
        /// How long the link can be used
        #[arg(long, default_value_t = 7, value_name = "1..30")]
        days: u32,
        /// Address in the link, if volunteers reach the server by another one than its --name
        #[arg(long, value_name = "https://...")]
        server: Option<Url>,
    },
    /// List people and their computers; switch them off
    #[command(subcommand)]
    People(PeopleWish),
    /// Set how a telephone provider wants numbers, and what it allows
    #[command(subcommand)]
    Trunk(trunk::TrunkWish),
    /// Say whose a telephone number is, on all lists, and whether it may be rung
    Lookup {
        /// The number, in any usual way of writing it
        number: String,
        /// How a number without + is read
        #[arg(long, default_value = "GB")]
        country: String,
    },
    /// Write a copy of the whole database to a new file, while the server runs
    ///
    /// The copy holds whole numbers and names. To go back to it, stop the server, and run:
    /// ringround-server restore FILE
    Backup {
        /// The file to write; it must not be there yet
        file: PathBuf,
    },
    /// Go back to a backup, while the server is stopped
    ///
    /// The file is checked first. The database that is there is kept in the data folder under another
    /// name, with the time in it. What was done since the backup is not in it: people who were rung
    /// since then may be rung again.
    Restore {
        /// The file that backup wrote
        file: PathBuf,
    },
    /// Print every attempt of a campaign with what came of it
    Results {
        /// Name or id of the campaign
        #[arg(long, short)]
        campaign: String,
        /// csv: a table with times as 2026-11-30T18:05:00Z; json: an object a line, times in
        /// milliseconds since 1970
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
    },
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table.
    Csv,
    /// An object a line.
    Json,
}

/// A command about campaigns.
#[derive(Debug, Subcommand)]
pub enum CampaignWish {
    /// Make a campaign, from flags or from a file
    #[command(after_help = FORM_HELP)]
    Create(Box<Create>),
    /// List all campaigns and how far their lists are
    List,
    /// Show one campaign with its script
    Show {
        /// Name or id
        campaign: String,
    },
    /// Let nobody be rung for a campaign; calls in progress go on to their end
    Pause {
        /// Name or id
        campaign: String,
        /// What volunteers read, like "Tea break, back at 19:15" [default: if it is paused already,
        /// what they read now]
        #[arg(long, short)]
        message: Option<String>,
        /// Who pauses it [default: the campaign's organiser]
        #[arg(long)]
        by: Option<String>,
    },
    /// End a campaign's pause
    Resume {
        /// Name or id
        campaign: String,
    },
}

const FORM_HELP: &str = "\
The script is plain text. A blank line separates its parts; a line that begins with > is a hint to
the volunteer and is not read out. {name}, {form_of_address}, {volunteer} and {organisation} are
filled in for each callee.

A file holds the same fields, in TOML:
  name = \"Winter Warmth\"
  organisation = \"Lantern Street Trust\"
  organiser = \"Ruth\"
  caller_id = \"020 7946 0000\"
  country = \"GB\"                  # or GB-ENG, GB-WLS, GB-SCT, GB-NIR
  time_zone = \"Europe/London\"
  abroad = false                  # true: numbers of other countries too, by the hours there
  hours = \"rules\"                 # within calling hours
  spacing = \"2h\"                  # between two attempts at one number
  attempts_allowed = 4
  script = '''
  Hello, is that {form_of_address}? I'm {volunteer}, a volunteer with {organisation}.

  > Wait for an answer. Speak slowly.
  '''";

/// Flags of a new campaign.
#[derive(Debug, Args)]
pub struct Create {
    /// Read all fields from a TOML file; other flags go before what it says
    #[arg(long, short, value_name = "TOML")]
    file: Option<PathBuf>,
    /// Its name, "Winter Warmth"
    #[arg(long, required_unless_present = "file")]
    name: Option<String>,
    /// On whose behalf people are rung, "Lantern Street Trust"
    #[arg(long, required_unless_present = "file")]
    organisation: Option<String>,
    /// First name of the person volunteers ask for help
    #[arg(long, required_unless_present = "file")]
    organiser: Option<String>,
    /// The number that callees see
    #[arg(long, required_unless_present = "file", value_name = "NUMBER")]
    caller_id: Option<String>,
    /// File with the script's text
    #[arg(long, required_unless_present = "file", value_name = "FILE")]
    script: Option<PathBuf>,
    /// Whose bank holidays count, and how numbers without + are read [default: GB]
    #[arg(long)]
    country: Option<String>,
    /// Time zone of the callees [default: Europe/London]
    #[arg(long)]
    time_zone: Option<String>,
    /// Take numbers of other countries too; they are rung by the hours there
    #[arg(long)]
    abroad: bool,
    /// When people may be rung: rules, or always (simulated trunk only) [default: rules]
    #[arg(long)]
    hours: Option<String>,
    /// Least time between two attempts at one number [default: 2h]
    #[arg(long)]
    spacing: Option<String>,
    /// How many attempts a contact may have [default: 4]
    #[arg(long, value_name = "N")]
    attempts_allowed: Option<u32>,
}

/// A command about people.
#[derive(Debug, Subcommand)]
pub enum PeopleWish {
    /// List people, their computers, and who is signed in
    List,
    /// Switch a person off, with all their computers and unused links, within a second
    ///
    /// A call they are in is hung up. To let them back in, invite them again.
    Revoke {
        /// Name or id of the person
        #[arg(required_unless_present = "device")]
        person: Option<String>,
        /// Switch off only this computer (its id is in: people list)
        #[arg(long, conflicts_with = "person", value_name = "ID", value_parser = device)]
        device: Option<DeviceId>,
    },
    /// Take back what a person's computers marked: outcomes, do not call, cards that were put off
    ///
    /// For a stolen computer: switch it off first (people revoke). It lists what would be taken back, and asks; without
    /// a terminal it only lists, unless there is --yes. Contacts are open again and due by the rules; calls that were
    /// made stay attempts, so nobody is rung too soon after one. A number that somebody else marked stays on the
    /// do-not-call list.
    Undo(undo::Undo),
}

/// Runs every command but `serve`.
pub fn command(cli: Cli) -> ExitCode {
    let json = cli.json;
    let out = &mut io::stdout().lock();
    match run(cli, out) {
        Ok(code) => code,
        Err(message) => {
            complain(&message, json);
            ExitCode::FAILURE
        }
    }
}

/// The data folder: `--data`, or the default.
///
/// # Errors
/// When there is neither a `--data` nor a home folder.
pub fn data_folder(cli: &Cli) -> Result<PathBuf, String> {
    if let Some(data) = &cli.data {
        return std::path::absolute(data).map_err(|e| format!("--data: {e}"));
    }
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map(|folder| folder.join("ringround-server"))
        .ok_or_else(|| "there is no home folder; say where the data is with --data".into())
}

/// Says what went wrong, on standard error; as JSON too if that was wanted.
pub fn complain(message: &str, json: bool) {
    let err = &mut io::stderr();
    // Nobody is left to be told if standard error is closed.
    let _ = if json {
        print::json(err, &Answer::Refused { message: message.to_owned() })
    } else {
        writeln!(err, "ringround-server: {}", plain::shown_lines(message))
    };
}

fn run(cli: Cli, out: &mut dyn Write) -> Result<ExitCode, String> {
    let data = data_folder(&cli)?;
    let json = cli.json;
    if let Wish::Restore { file } = &cli.wish {
        print_answer(out, json, &restore(&data, file)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (command, mut file): (Command, Option<Box<dyn Read>>) = match cli.wish {
        Wish::Serve(_) | Wish::Restore { .. } => {
            return Err("this is not a command to a running server".into());
        }
        Wish::Results { campaign, format } => {
            let format = if json { Format::Json } else { format };
            return print_results(&data, &campaign, format, out);
        }
        Wish::Import { file, campaign } => {
            let (source, reader) = open_list(&file)?;
            (Command::Import { campaign, source }, Some(reader))
        }
        Wish::Status => (Command::Status {}, None),
        Wish::Campaign(CampaignWish::Create(create)) => {
            (Command::CampaignCreate { form: create.form()? }, None)
        }
        Wish::Campaign(CampaignWish::List) => (Command::CampaignList {}, None),
        Wish::Campaign(CampaignWish::Show { campaign }) => (Command::CampaignShow { campaign }, None),
        Wish::Campaign(CampaignWish::Pause { campaign, message, by }) => {
            (Command::CampaignPause { campaign, by, message }, None)
        }
        Wish::Campaign(CampaignWish::Resume { campaign }) => (Command::CampaignResume { campaign }, None),
        Wish::Invite { campaign, name, days, server } => {
            (Command::Invite { campaign, name, server, days }, None)
        }
        Wish::People(PeopleWish::List) => (Command::PeopleList {}, None),
        Wish::People(PeopleWish::Revoke { device: Some(device), .. }) => {
            (Command::DeviceRevoke { device }, None)
        }
        Wish::People(PeopleWish::Revoke { person, device: None }) => {
            (Command::PeopleRevoke { person: person.unwrap_or_default() }, None)
        }
        Wish::People(PeopleWish::Undo(undo)) => return undo::run(&data, json, undo, out),
        Wish::Trunk(wish) => (wish.command(), None),
        Wish::Lookup { number, country } => (Command::Lookup { number, country }, None),
        Wish::Backup { file } => {
            let file = std::path::absolute(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            (Command::Backup { file }, None)
        }
    };
    let upload = file.as_mut().map(|file| file.as_mut() as &mut dyn Read);
    let answer = client::ask(&data, &command, upload).map_err(|e| e.to_string())?;
    if let Answer::Refused { message } = answer {
        return Err(message);
    }
    print_answer(out, json, &answer)?;
    Ok(ExitCode::SUCCESS)
}

fn print_answer(out: &mut dyn Write, json: bool, answer: &Answer) -> Result<(), String> {
    let printed = if json { print::json(out, answer) } else { print::words(out, answer) };
    printed.map_err(|e| format!("the answer could not be printed: {e}"))
}

fn restore(data: &Path, file: &Path) -> Result<Answer, String> {
    let _lock = app::take_folder(data).map_err(|error| match error {
        StartError::Running(data) => {
            format!("a server runs with the data folder {data}: stop the server first, then restore")
        }
        StartError::Data(..)
        | StartError::Store(_)
        | StartError::Tls(_)
        | StartError::Listen(..)
        | StartError::Control(..) => error.to_string(),
    })?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let kept = runtime.block_on(store::restore::restore(file, data)).map_err(|e| e.to_string())?;
    Ok(Answer::Restored { file: file.to_owned(), data: data.to_owned(), kept })
}

fn device(text: &str) -> Result<DeviceId, String> {
    text.parse().map_err(|_| "a computer's id is long, with dashes; see: ringround-server people list".into())
}

fn open_list(file: &Path) -> Result<(String, Box<dyn Read>), String> {
    if file == Path::new("-") {
        return Ok(("standard input".into(), Box::new(io::stdin())));
    }
    let reader = File::open(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let name = file.file_name().unwrap_or(file.as_os_str());
    Ok((name.to_string_lossy().into_owned(), Box::new(reader)))
}

fn print_results(
    data: &Path,
    campaign: &str,
    format: Format,
    out: &mut dyn Write,
) -> Result<ExitCode, String> {
    let page = |after: Option<AttemptId>| {
        let command = Command::Results { campaign: campaign.to_owned(), after };
        let answer = client::ask(data, &command, None).map_err(|e| e.to_string())?;
        if let Answer::Refused { message } = answer {
            return Err(message);
        }
        let Answer::Results { rows, more } = answer else {
            return Err(format!("the server answered something else: {answer:?}"));
        };
        Ok((rows, more))
    };
    // The first before a head is printed: of a campaign that is not there, no table looks like an empty one.
    let (mut rows, mut more) = page(None)?;
    let mut table = print::Results::new(format, out).map_err(|e| e.to_string())?;
    loop {
        for row in &rows {
            table.row(row).map_err(|e| e.to_string())?;
        }
        if !more {
            table.end().map_err(|e| e.to_string())?;
            return Ok(ExitCode::SUCCESS);
        }
        (rows, more) = page(rows.last().map(|row| row.attempt_id))?;
    }
}

impl Create {
    fn form(self) -> Result<CampaignForm, String> {
        let read =
            |file: &Path| std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()));
        let script = self.script.as_deref().map(read).transpose()?;
        let written = match &self.file {
            Some(file) => {
                CampaignForm::from_toml(&read(file)?).map_err(|e| format!("{}: {e}", file.display()))?
            }
            // Each of these is required where there is no file.
            None => CampaignForm {
                name: String::new(),
                organisation: String::new(),
                organiser: String::new(),
                caller_id: String::new(),
                script: String::new(),
                country: campaign_form::default_country(),
                time_zone: campaign_form::default_time_zone(),
                abroad: false,
                hours: campaign_form::default_hours(),
                spacing: campaign_form::default_spacing(),
                attempts_allowed: campaign_form::default_attempts(),
            },
        };
        Ok(CampaignForm {
            name: self.name.unwrap_or(written.name),
            organisation: self.organisation.unwrap_or(written.organisation),
            organiser: self.organiser.unwrap_or(written.organiser),
            caller_id: self.caller_id.unwrap_or(written.caller_id),
            country: self.country.unwrap_or(written.country),
            time_zone: self.time_zone.unwrap_or(written.time_zone),
            abroad: self.abroad || written.abroad,
            script: script.unwrap_or(written.script),
            hours: self.hours.unwrap_or(written.hours),
            spacing: self.spacing.unwrap_or(written.spacing),
            attempts_allowed: self.attempts_allowed.unwrap_or(written.attempts_allowed),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
