//! The workspace's own commands: `cargo demo`, `cargo verify`, `cargo xtask test`, `cargo xtask prepare`.
#![expect(clippy::print_stderr, reason = "these commands speak to a person at a terminal")]

/// One line for the person at the terminal. Nobody reading it any more (`cargo demo | head`) is no reason to fail.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($line)*).ok();
    }};
}

mod api_test;
mod cargo;
mod chaos;
mod child;
mod demo;
mod prepare;
mod stop;
mod test;
mod test_servers;
mod tools;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::stop::{Interrupted, Stop};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Sitepass: the commands of this workspace")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Starts everything on this machine and plays a site's day.
    Demo(demo::Options),
    /// Checks everything that CI checks.
    Verify,
    /// Runs the tests against servers of their own; arguments go to `cargo nextest run`.
    Test {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Asks a running installation everything its API's document allows, and looks for answers that it does not.
    ApiTest,
    /// Breaks installations of real processes on purpose and checks what must hold; `--help` lists the arguments.
    Chaos {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Writes what the checked queries mean into `.sqlx`, from a freshly migrated database.
    Prepare {
        /// Only says whether `.sqlx` is up to date.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = Stop::on_signals().and_then(|stop| match cli.task {
        Task::Demo(options) => demo::run(&stop, &options),
        Task::Verify => verify::run(&stop),
        Task::Test { args } => test::run(&stop, &args),
        Task::ApiTest => api_test::run(&stop),
        Task::Chaos { args } => chaos::run(&stop, &args),
        Task::Prepare { check } => prepare::run(&stop, check),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) if err.is::<Interrupted>() => {
            eprintln!("stopped");
            ExitCode::from(130)
        }
        Err(err) => {
            eprintln!("error: {err:#}");
            ExitCode::FAILURE
        }
    }
}
