//! Results as a person reads them and as a program does.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use crate::figures::{Figures, digits};
use crate::machine::Machine;

/// Writes `P3.md` and `P3.json` into `folder`, replacing earlier ones.
pub(crate) fn write(folder: &Path, machine: &Machine, figures: &Figures) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let file = |extension: &str| folder.join(format!("{}.{extension}", figures.metric));
    fs::write(file("md"), markdown(machine, figures)).context("write the results")?;
    let json = json!({ "machine": machine, "figures": figures });
    fs::write(file("json"), format!("{}\n", serde_json::to_string_pretty(&json)?))
        .context("write the results")
}

pub(crate) fn markdown(machine: &Machine, figures: &Figures) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    compose(&mut text, machine, figures).ok();
    text
}

fn compose(text: &mut String, machine: &Machine, figures: &Figures) -> std::fmt::Result {
    writeln!(text, "# {}: {}\n", figures.metric, figures.title)?;
    let command = format!("cargo bench-all --only {}", figures.metric);
    writeln!(text, "Written by `{command}` on {}, commit {}.\n", machine.day, machine.commit)?;
    writeln!(text, "| goal | reached | |\n| --- | ---: | --- |")?;
    for goal in &figures.goals {
        let met = if goal.met { "met" } else { "**missed**" };
        writeln!(text, "| {} | {} | {met} |", goal.says, digits(goal.value))?;
    }
    writeln!(
        text,
        "\n| | median | min | max | spread | rounds |\n| --- | ---: | ---: | ---: | ---: | --- |"
    )?;
    for series in &figures.series {
        let rounds: Vec<String> = series.rounds.iter().map(|round| digits(*round)).collect();
        writeln!(
            text,
            "| {} ({}) | {} | {} | {} | {:.0} % | {} |",
            series.name,
            series.unit,
            digits(series.median()),
            digits(series.min()),
            digits(series.max()),
            series.spread() * 100.0,
            rounds.join(", ")
        )?;
    }
    let unstable = figures.unstable();
    if !unstable.is_empty() {
        writeln!(
            text,
            "\n**The rounds disagree**: {}. An order of magnitude.",
            unstable.join("; ")
        )?;
    }
    if figures.lost.is_empty() {
        writeln!(
            text,
            "\nNothing lost and nothing doubled of {} counted after the rounds.",
            figures.counted
        )?;
    } else {
        writeln!(text, "\n**Lost or doubled**: {}.", figures.lost.join("; "))?;
    }
    writeln!(text, "\n## How\n")?;
    for (what, how) in &figures.settings {
        writeln!(text, "- **{what}**: {how}.")?;
    }
    for note in &figures.notes {
        writeln!(text, "- {note}")?;
    }
    writeln!(
        text,
        "- The load generator, the servers and what is measured share the machine's cores."
    )?;
    writeln!(text, "\n## Where\n")?;
    for (what, value) in machine.hardware.iter().chain(&machine.programs) {
        writeln!(text, "- {what}: {value}")?;
    }
    let settings: Vec<String> =
        machine.postgres_settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    writeln!(text, "- PostgreSQL's settings: {}", settings.join(", "))?;
    writeln!(text, "- NATS's settings: {}", machine.nats_settings)
}
