//! `fleet seed` and `fleet play`: the demo's data and the demo's day.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use fleet::{Timeline, Urls};

/// Simulated workers, doors and admins.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the demo's site, people, doors and video; what exists stays.
    Seed(Where),
    /// Plays one day and tells it; fails on the first step that is not seen.
    Play {
        #[command(flatten)]
        urls: Where,
        /// Nobody watches: no time to read, no progress lines.
        #[arg(long)]
        check: bool,
    },
}

#[derive(Debug, Args)]
struct Where {
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    gateway: String,
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    device: String,
    #[arg(long, default_value = "http://127.0.0.1:8090")]
    sandbox: String,
    /// The training video to upload.
    #[arg(long, default_value = "demo/safety-video.mp4")]
    video: PathBuf,
}

impl Where {
    fn urls(&self) -> Urls {
        Urls {
            gateway: self.gateway.clone(),
            device: self.device.clone(),
            sandbox: self.sandbox.clone(),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome =
        runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(cli.command)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            say_error(&err);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Seed(at) => fleet::seed(&at.urls(), &at.video).await.map(|_| ()),
        Command::Play { urls: at, check } => {
            let demo = fleet::seed(&at.urls(), &at.video).await?;
            fleet::play(&at.urls(), &demo, &Timeline::new(!check)).await
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command speaks to its operator")]
fn say_error(err: &anyhow::Error) {
    eprintln!("fleet: {err:#}");
}
