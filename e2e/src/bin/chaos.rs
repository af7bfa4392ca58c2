//! `cargo chaos`: the fault matrix on real processes, for as many seeds as are asked for.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use e2e::chaos::{Fault, Mistake, Scale, run, see};

/// What `cargo chaos` runs when no seed is asked for.
const ALL_SEEDS: u64 = 3;

/// Breaks installations on purpose and checks what must hold.
#[derive(Debug, Parser)]
struct Cli {
    /// How many seeds, from `--seed` on; all three when neither is given, else one.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed; it decides when what happens.
    #[arg(long)]
    seed: Option<u64>,
    /// These faults alone: `F4` or `F4,F5`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Fault>,
    /// Faults of seconds, and some of the combinations, as on every change.
    #[arg(long)]
    quick: bool,
    /// How long an old snapshot is held at full length; the matrix has 30.
    #[arg(long, value_name = "MINUTES", default_value_t = 5)]
    snapshot: u64,
    /// Plants each mistake and fails when the checker does not see it.
    #[arg(long)]
    mistakes: bool,
    /// These mistakes alone.
    #[arg(long, value_delimiter = ',')]
    mistake: Vec<Mistake>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A run takes half an hour: what happens in it is told as it does.
    tracing_subscriber::fmt()
        .with_env_filter("test_support=info")
        .with_target(false)
        .with_ansi(std::io::stdout().is_terminal())
        .without_time()
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome =
        runtime.map_err(|err| err.to_string()).and_then(|runtime| runtime.block_on(all(cli)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            say(&format!("FAILED: {what}"));
            ExitCode::FAILURE
        }
    }
}

async fn all(cli: Cli) -> Result<(), String> {
    let snapshot = Duration::from_mins(cli.snapshot);
    let scale = if cli.quick { Scale::Quick } else { Scale::Full { snapshot } };
    let first = cli.seed.unwrap_or(1);
    let seeds = cli.seeds.unwrap_or(if cli.seed.is_none() { ALL_SEEDS } else { 1 });
    let only = !cli.only.is_empty() || !cli.mistake.is_empty();
    let faults = match (only, cli.quick) {
        (true, _) => cli.only,
        (false, _) if cli.mistakes => Vec::new(),
        (false, true) => Fault::QUICK.to_vec(),
        (false, false) => Fault::ALL.to_vec(),
    };
    // The whole matrix tests itself too.
    let mistakes = match (only, cli.quick) {
        (true, _) => cli.mistake,
        (false, true) if !cli.mistakes => Vec::new(),
        (false, _) => Mistake::ALL.to_vec(),
    };
    let mut failed = Vec::new();
    for seed in first..first + seeds {
        say(&format!("seed {seed}: {faults:?} {mistakes:?}, {scale:?}"));
        let started = Instant::now();
        let chosen = faults.clone();
        if outlived(async move { run(&chosen, seed, scale).await }).await.is_none() {
            failed.push(format!("seed {seed}"));
        }
        for mistake in mistakes.iter().copied() {
            match outlived(see(mistake, seed)).await {
                Some(broken) => say(&format!("{} is seen: {}", mistake.name(), broken[0])),
                None => failed.push(format!("seed {seed} with {}", mistake.name())),
            }
        }
        say(&format!("seed {seed}: {:.0} s", started.elapsed().as_secs_f64()));
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join(", ")) }
}

/// What is broken is a panic that has said so; the other runs go on.
#[expect(clippy::disallowed_methods, reason = "waited for at once")]
async fn outlived<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    tokio::spawn(work).await.ok()
}

#[expect(clippy::print_stdout, reason = "a command speaks to its operator")]
fn say(line: &str) {
    println!("{line}");
}
