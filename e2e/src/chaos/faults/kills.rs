use rand::Rng;
use rand::seq::SliceRandom;
use test_support::eventually;

use crate::chaos::{Scale, World};

/// Where a process dies, and those that come there while tickets are published. The gateway stores nothing.
const POINTS: [(&str, &[usize]); 7] = [
    ("commit.before", &[1, 2, 3]),
    ("commit.after", &[1, 2, 3]),
    ("relay.before-publish", &[1, 2]),
    ("relay.before-mark", &[1, 2]),
    ("relay.before-states", &[1]),
    ("consumer.before-commit", &[2, 3]),
    ("consumer.before-ack", &[2, 3]),
];

/// F1: each process dies at random moments, and at each point at a random pass.
pub(crate) async fn services(world: &mut World) {
    let mut deaths: Vec<(Option<&str>, usize)> = Vec::new();
    for (point, processes) in POINTS {
        if world.scale == Scale::Quick {
            let any = world.random.random_range(0..processes.len());
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
            let pass = world.random.random_range(2..20);
            let planned = format!("{point}:{pass}");
            world.ledger.note(format!("{targets} will die at {planned}"));
            world.installation.restart(process, &[("SITEPASS_FAULT_POINT", &planned)]);
            eventually(&format!("{targets} to die at {planned}"), || {
                let ended = world.installation.has_ended(process);
                async move { ended.then_some(()) }
            })
            .await;
        }
        world.any_moment().await;
        world.ledger.note(format!("{targets} is killed and started again"));
        world.installation.restart(process, &[]);
        world.installation.process_ready(process).await;
    }
}
