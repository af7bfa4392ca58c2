//! `cargo chaos`: the fault matrix on real processes, for as many seeds as are asked for.

use std::process::ExitCode;

use clap::Parser;
use e2e::chaos::{FENCING, Fault, MISTAKES, Scale, World, caught, run};

/// Breaks installations on purpose and checks what must hold.
#[derive(Debug, Parser)]
struct Cli {
    /// How many seeds, from `--seed` on.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed; it decides when what happens.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// These faults alone: `F4` or `F4,F5`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Fault>,
    /// Faults of seconds, and some of the combinations, as on every change.
    #[arg(long)]
    quick: bool,
    /// Plants each mistake and fails when the checker does not see it.
    #[arg(long)]
    mistakes: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
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
    let scale = if cli.quick { Scale::Quick } else { Scale::Full };
    let faults = match (cli.only.is_empty(), cli.quick, cli.mistakes) {
        (false, ..) => cli.only,
        (true, _, true) => Vec::new(),
        (true, true, false) => Fault::QUICK.to_vec(),
        (true, false, false) => Fault::ALL.to_vec(),
    };
    let mut failed = Vec::new();
    for seed in cli.seed..cli.seed + cli.seeds {
        let chosen = faults.clone();
        say(&format!("seed {seed}: {faults:?}, {scale:?}"));
        let started = std::time::Instant::now();
        // A broken invariant is a panic that has said what is broken.
        if tokio::spawn(async move { run(&chosen, seed, scale).await }).await.is_err() {
            failed.push(format!("seed {seed}"));
        }
        say(&format!("seed {seed}: {:.0} s", started.elapsed().as_secs_f64()));
        // The whole matrix tests itself too.
        if cli.mistakes || (!cli.quick && faults.len() == Fault::ALL.len()) {
            for mistake in MISTAKES.into_iter().chain(FENCING) {
                let broken = tokio::spawn(async move { see(mistake, seed, scale).await }).await;
                match broken {
                    Ok(0) | Err(_) => failed.push(format!("seed {seed}: {mistake} was not seen")),
                    Ok(_) => {}
                }
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join(", ")) }
}

/// How many invariants a mistake breaks.
async fn see(mistake: &'static str, seed: u64, scale: Scale) -> usize {
    let mut world = World::start_for(mistake, seed, scale).await;
    let broken = caught(&mut world, mistake).await;
    for one in &broken {
        say(&format!("{mistake}: {one}"));
    }
    broken.len()
}

#[expect(clippy::print_stdout, reason = "a command speaks to its operator")]
fn say(line: &str) {
    println!("{line}");
}
