//! The one binary: `serve` any split of targets, `migrate`, look after the record.

mod commands;
mod config;
mod serve;
mod targets;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

// As sysexits.h numbers them: wrong configuration, a file that is not there, something that does not answer.
const EXIT_CONFIG: u8 = 64;
const EXIT_NO_INPUT: u8 = 66;
const EXIT_UNAVAILABLE: u8 = 69;

/// Sitepass: work ticket, training, access grant, passage.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs services until a signal.
    Serve {
        /// `all`, or names separated by commas: `gateway,device`.
        #[arg(long, value_delimiter = ',', default_value = "all")]
        target: Vec<String>,
        /// Also runs stand-ins for WeChat, SMS, face, real-name and door systems, and lets site time be set.
        #[arg(long)]
        sandbox: bool,
    },
    /// Makes and brings up to date the schemas of every service. Running it twice changes nothing.
    Migrate,
    /// Prints every setting of the environment, one a line.
    ConfigKeys,
    /// Proves that nobody changed the audit log.
    #[command(subcommand)]
    Audit(commands::audit::AuditCommand),
    /// Looks after what a service has told.
    #[command(subcommand)]
    Outbox(commands::outbox::OutboxCommand),
    /// Looks after the newest state of each aggregate.
    #[command(subcommand)]
    State(commands::state::StateCommand),
    /// Looks after events that could not be handled.
    #[command(subcommand)]
    Parked(commands::parked::ParkedCommand),
    /// Looks after what services run by themselves.
    #[command(subcommand)]
    Jobs(commands::jobs::JobsCommand),
    /// Looks after what is sealed.
    #[command(subcommand)]
    Vault(commands::vault::VaultCommand),
}

/// What ends the process early.
#[derive(Debug)]
enum Failure {
    /// Every mistake of the configuration.
    Config(Vec<service::config::Mistake>),
    /// A file that was named cannot be read.
    NoInput(anyhow::Error),
    /// What was to be looked at does not answer.
    Unavailable(anyhow::Error),
    Start(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(err: anyhow::Error) -> Self {
        Self::Start(err)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(err) => return report(Err(Failure::Start(err.into()))),
    };
    report(runtime.block_on(run(cli.command)))
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve { target, sandbox } => serve::serve(&target, sandbox).await,
        Command::Migrate => commands::migrate().await,
        Command::ConfigKeys => commands::config_keys(),
        Command::Audit(command) => commands::audit::run(command).await,
        Command::Outbox(command) => commands::outbox::run(command).await,
        Command::State(command) => commands::state::run(command).await,
        Command::Parked(command) => commands::parked::run(command).await,
        Command::Jobs(command) => commands::jobs::run(command).await,
        Command::Vault(command) => commands::vault::run(command).await,
    }
}

#[expect(clippy::print_stderr, reason = "a command speaks to its operator")]
fn report(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Config(mistakes)) => {
            eprintln!("sitepass: the configuration has {} mistakes", mistakes.len());
            for mistake in mistakes {
                eprintln!("  {mistake}");
            }
            ExitCode::from(EXIT_CONFIG)
        }
        Err(Failure::Start(err)) => failed(&err, 1),
        Err(Failure::NoInput(err)) => failed(&err, EXIT_NO_INPUT),
        Err(Failure::Unavailable(err)) => failed(&err, EXIT_UNAVAILABLE),
    }
}

#[expect(clippy::print_stderr, reason = "a command speaks to its operator")]
fn failed(err: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("sitepass: {err:#}");
    ExitCode::from(code)
}
