//! `ringround-server`: see `--help`.

use std::process::ExitCode;

use clap::Parser;
use protocol::plain;
use server::{
    app,
    cli::{self, Cli, Wish},
    clock::Clock,
    config::Config,
    logs, process,
};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => error.exit(), // help, or the version
        Err(error) => {
            // It repeats what was written, which may have come from anywhere.
            eprintln!("{}", plain::text(&error.render().to_string()).trim_end());
            return ExitCode::from(2);
        }
    };
    let data = match cli::data_folder(&cli) {
        Ok(data) => data,
        Err(message) => return fail(&message),
    };
    let Wish::Serve(flags) = cli.wish else { return cli::command(cli) };
    let config = match flags.config(data) {
        Ok(config) => config,
        Err(message) => return fail(&message),
    };
    process::close_to_others();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(serve(config)),
        Err(error) => fail(&format!("the server could not start: {error}")),
    }
}

async fn serve(mut config: Config) -> ExitCode {
    let _logs = match logs::start(&config.data) {
        Ok(guard) => guard,
        Err(error) => {
            return fail(&format!("the logs in {} cannot be written: {error}", config.data.display()));
        }
    };
    config.doors = process::make_room(config.doors);
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return fail("the server cannot listen for signals");
    };
    let mut running = match app::start(config, Clock::system()).await {
        Ok(running) => running,
        Err(error) => return fail(&error.to_string()),
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        why = running.failed() => {
            tracing::error!(why, "the server cannot go on");
            return fail(&why);
        }
    }
    running.stop().await;
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    cli::complain(message, false);
    ExitCode::FAILURE
}
