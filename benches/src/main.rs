//! `cargo bench-all`: figures of this machine beside the machine's own limit and beside other programs that do the
//! same work. How they are taken and read: `docs/benchmarks/README.md`.
#![expect(clippy::print_stderr, reason = "this command speaks to a person at a terminal")]

/// One line for the person at the terminal. Nobody reading it any more is no reason to fail.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($line)*).ok();
    }};
}

mod audit;
mod batch;
mod facts;
mod figures;
mod machine;
#[path = "../../services/directory/tests/it/outside.rs"]
#[expect(dead_code, reason = "the tests ask more of it")]
mod outside;
mod p11;
mod p3;
mod p4;
mod p5;
mod peers;
mod report;
mod resident;
mod roster;
mod sitepass;
mod sizes;
#[path = "../../services/ticket/tests/it/peers.rs"]
#[expect(clippy::unwrap_used, reason = "a lock is poisoned only by a panic, which ends the run")]
mod ticket_peers;
mod tickets;
mod wait;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use figures::Figures;
use sizes::Sizes;
use world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    #[value(name = "P3", alias = "p3")]
    Relay,
    #[value(name = "P4", alias = "p4")]
    Latency,
    #[value(name = "P5", alias = "p5")]
    Consumer,
    #[value(name = "P11", alias = "p11")]
    Recovery,
    #[value(name = "TICKETS", alias = "tickets")]
    Tickets,
    #[value(name = "AUDIT", alias = "audit")]
    Audit,
    #[value(name = "ROSTER", alias = "roster")]
    Roster,
}

#[derive(Debug, Parser)]
#[command(name = "cargo bench-all", about = "Takes the figures of docs/benchmarks")]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    /// Only these; all without it.
    #[arg(long, value_name = "P3", num_args = 1..)]
    only: Vec<Which>,
    /// Rounds of limit, ours, peers.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// One round of small sizes, to see that everything works. Nothing is written to docs/benchmarks.
    #[arg(long)]
    quick: bool,
    /// Shows figures whose rounds differ too much. Nothing is written to docs/benchmarks.
    #[arg(long)]
    allow_spread: bool,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// A relay and a consumer in a process of their own; started by the benchmarks themselves.
    #[command(hide = true)]
    Resident(resident::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(err) => {
            eprintln!("error: {err}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        if let Some(Part::Resident(options)) = &cli.part {
            return resident::run(options).await;
        }
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // Leaving `run` drops the servers and the programs it started, which ends them.
        let outcome = tokio::select! {
            outcome = run(&cli) => outcome,
            _ = interrupt.recv() => Err(anyhow!("interrupted")),
            _ = terminate.recv() => Err(anyhow!("terminated")),
        };
        outcome.and(world::erase(&folder()))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {err:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<()> {
    let sizes = if cli.quick { Sizes::quick() } else { Sizes::full(cli.rounds) };
    let wanted = |which| cli.only.is_empty() || cli.only.contains(&which);
    let peers = peers::install(&folder())?;
    let sitepass = if wanted(Which::Latency) || wanted(Which::Recovery) {
        sitepass::program(!cli.quick)?
    } else {
        None
    };
    let mut world = World::start(&folder()).await?;
    let machine = machine::describe(&mut world, &peers).await?;
    say!("{}", machine.summary());
    let mut wrong = Vec::new();
    let all = [
        Which::Relay,
        Which::Latency,
        Which::Consumer,
        Which::Recovery,
        Which::Tickets,
        Which::Audit,
        Which::Roster,
    ];
    for which in all {
        if !wanted(which) {
            continue;
        }
        let figures = match which {
            Which::Relay => p3::measure(&mut world, &sizes, &peers).await?,
            Which::Latency => p4::measure(&mut world, &sizes, &peers, sitepass.as_deref()).await?,
            Which::Consumer => p5::measure(&mut world, &sizes, &peers).await?,
            Which::Recovery => p11::measure(&mut world, &sizes, sitepass.as_deref()).await?,
            Which::Tickets => tickets::measure(&world, &sizes).await?,
            Which::Audit => audit::measure(&world, &sizes).await?,
            Which::Roster => roster::measure(&world, &sizes).await?,
        };
        say!("\n{}", report::markdown(&machine, &figures));
        wrong.extend(keep(cli, &machine, &figures)?);
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("; ")) }
}

/// Writes the results where they are read, those of rounds that disagree with a word of it; or says what was lost. What
/// is wrong with them is answered.
fn keep(cli: &Cli, machine: &machine::Machine, figures: &Figures) -> Result<Vec<String>> {
    let look_only = cli.quick || cli.allow_spread;
    let mut wrong = figures.losses();
    if wrong.is_empty() || look_only {
        let into =
            if look_only { folder().join("results") } else { root().join("docs/benchmarks") };
        report::write(&into, machine, figures)?;
        say!("written to {}", into.display());
    }
    if !look_only {
        wrong.extend(figures.unstable());
    }
    Ok(wrong)
}

fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// What the benchmarks make lies beside what cargo makes.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target.map_or_else(|| root().join("target"), PathBuf::from).join("bench")
}
