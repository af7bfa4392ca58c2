use std::ops::Range;

use rand::Rng;
use rand::seq::SliceRandom;
use test_support::{Entry, Outcome};

use crate::chaos::{Scale, World};

/// The process that takes commands.
const COMMANDED: usize = 1;
const PASSES: Range<u64> = 2..20;
/// A process commits some twenty times before its first command: its jobs, its days, what it saw.
const COMMANDS: Range<u64> = 25..60;

/// Where a process dies, and those that come there while tickets are published, the one first that always does. The
/// gateway stores nothing.
const POINTS: [(&str, &[usize]); 7] = [
    ("commit.before", &[COMMANDED, 2, 3]),
    ("commit.after", &[COMMANDED, 2, 3]),
    ("relay.before-publish", &[1, 2]),
    ("relay.before-mark", &[1, 2]),
    ("relay.before-states", &[1]),
    ("consumer.before-commit", &[2, 3]),
    ("consumer.before-ack", &[2, 3]),
];

/// F1: each process dies at random moments, and at each point at a random pass. A command that was under way is answered
/// when it is asked again.
pub(crate) async fn services(world: &mut World) {
    let mut deaths: Vec<(Option<&str>, usize)> = Vec::new();
    for (point, processes) in POINTS {
        if world.scale == Scale::Quick {
            let commands = point.starts_with("commit.");
            let any = if commands { 0 } else { world.random.random_range(0..processes.len()) };
            deaths.push((Some(point), processes[any]));
        } else {
            deaths.extend(processes.iter().map(|process| (Some(point), *process)));
        }
    }
    deaths.extend((0..world.installation.len()).map(|process| (None, process)));
    deaths.shuffle(&mut world.random);
    for (point, process) in deaths {
        let targets = world.installation.targets(process).to_owned();
        if let Some(point) = point {
            let commands = process == COMMANDED && point.starts_with("commit.");
            let pass = world.random.random_range(if commands { COMMANDS } else { PASSES });
            world.dies_at(process, &format!("{point}:{pass}"), &[]).await;
        }
        world.any_moment().await;
        world.ledger.note(format!("{targets} is killed and started again"));
        world.installation.restart(process, &[]);
        world.installation.process_ready(process).await;
    }
    world.acked(5).await;
    let again = |entry: &Entry| entry.tries > 1 && matches!(entry.outcome, Outcome::Acked(_));
    let again = world.ledger.entries().values().filter(|entry| again(entry)).count();
    world.ledger.note(format!("{again} commands were answered when they were asked again"));
    assert!(again > 0, "no command was under way when a process died\n{}", world.ledger.story());
}
