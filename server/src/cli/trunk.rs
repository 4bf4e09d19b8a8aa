//! `ringround-server trunk`

use std::io::{self, Write};

use clap::{Args, Subcommand};
use protocol::number::Number;

use crate::{
    control::{Command, TrunkCalls, TrunkSeen},
    number_form::NumberForm,
    trunk_form::{Limit, TrunkChange, TrunkForm},
};

/// A command about trunks.
#[derive(Debug, Subcommand)]
pub enum TrunkWish {
    /// Set how a provider wants numbers, and what it allows; it holds from the next call on
    ///
    /// What is not named stays as it is.
    #[command(after_help = EXAMPLES)]
    Set {
        /// Name of the trunk [default: the running server's]
        name: Option<String>,
        /// What is to be different
        #[command(flatten)]
        change: Change,
    },
    /// List the trunks that a server of this data folder was started with
    List,
    /// Show one trunk: its forms, its limits, and the calls on it
    Show {
        /// Name of the trunk [default: the running server's]
        name: Option<String>,
    },
}

const EXAMPLES: &str = "\
How +44 7700 900123 reaches the provider:
  --number-form e164                         +447700900123 (as it is at first)
  --number-form e164-no-plus                 447700900123
  --number-form national                     07700900123
  --number-form e164-no-plus --prefix 9#00   9#00447700900123";

/// What is to be different.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Change {
    /// How callees' numbers are written
    #[arg(long, value_enum)]
    number_form: Option<NumberForm>,
    /// What comes before a callee's number: digits, letters, *, # and +; none takes it away
    #[arg(long)]
    prefix: Option<String>,
    /// How the caller ID is written
    #[arg(long, value_enum)]
    caller_id_form: Option<NumberForm>,
    /// The provider's country, whose national form it takes
    #[arg(long, value_name = "GB")]
    country: Option<String>,
    /// How many calls the provider allows at once, or none
    #[arg(long, value_name = "N|none")]
    channels: Option<Limit>,
    /// How many calls the provider lets begin in a second, or none
    #[arg(long, value_name = "N|none")]
    calls_per_second: Option<Limit>,
}

impl TrunkWish {
    pub(super) fn command(self) -> Command {
        match self {
            TrunkWish::Set { name, change } => Command::TrunkSet { name, change: change.into() },
            TrunkWish::List => Command::TrunkList {},
            TrunkWish::Show { name } => Command::TrunkShow { name },
        }
    }
}

impl From<Change> for TrunkChange {
    fn from(change: Change) -> Self {
        let Change { number_form, prefix, caller_id_form, country, channels, calls_per_second } = change;
        Self { number_form, prefix, caller_id_form, country, channels, calls_per_second }
    }
}

/// One trunk.
pub(super) fn print(out: &mut dyn Write, trunk: &TrunkSeen) -> io::Result<()> {
    let TrunkForm { country, prefix, .. } = &trunk.form;
    writeln!(out, "{}", trunk.name)?;
    let [callee, caller_id] = examples(&trunk.form);
    let behind = if prefix.is_empty() { String::new() } else { format!(", behind {prefix}") };
    let form = trunk.form.number_form.word();
    writeln!(out, "  Numbers    like {callee} ({form}{behind})")?;
    writeln!(out, "  Caller ID  like {caller_id} ({})", trunk.form.caller_id_form.word())?;
    writeln!(out, "  Country    {country}")?;
    writeln!(out, "  Calls      {}", calls(trunk))
}

/// All of them.
pub(super) fn print_all(out: &mut dyn Write, trunks: &[TrunkSeen]) -> io::Result<()> {
    trunks.iter().try_for_each(|trunk| print(out, trunk))
}

/// "3 now, at most 30 at once, and 5 new ones a second"
pub(super) fn calls(trunk: &TrunkSeen) -> String {
    let now = match trunk.calls {
        None => "not this server's".to_owned(),
        Some(TrunkCalls { in_use, in_line: 0 }) => format!("{in_use} now"),
        Some(TrunkCalls { in_use, in_line }) => format!("{in_use} now, {in_line} in line for a place"),
    };
    let limits = match (trunk.form.channels, trunk.form.calls_per_second) {
        (None, None) => "no limit is set".to_owned(),
        (Some(channels), None) => format!("at most {channels} at once"),
        (None, Some(rate)) => format!("at most {rate} new ones a second"),
        (Some(channels), Some(rate)) => {
            format!("at most {channels} at once, and {rate} new ones a second")
        }
    };
    format!("{now}; {limits}")
}

/// Numbers that nobody has, as this provider gets them.
fn examples(form: &TrunkForm) -> [String; 2] {
    let written = |e164, write: fn(&TrunkForm, &Number) -> String| {
        Number::from_e164(e164).map(|number| write(form, &number)).unwrap_or_default()
    };
    [written("+447700900123", TrunkForm::callee), written("+442079460000", TrunkForm::caller_id)]
}
