//! The test of the tests: a build that makes a mistake must not pass for whole.

use std::time::Duration;

use async_nats::jetstream;
use test_support::{Broken, eventually};
use tokio_util::sync::CancellationToken;

use super::faults::{events, network};
use super::load::Client;
use super::{Load, World};

/// Mistakes of consumers, caught on the common installation.
pub const MISTAKES: [&str; 2] = ["ack-before-commit", "no-dedupe"];
/// Mistakes of relays, caught where a service has two replicas.
pub const FENCING: [&str; 2] = ["no-fencing", "wake-without-poll"];

const MISTAKE: &str = "SITEPASS_FAULT_MISTAKE";
const POINT: &str = "SITEPASS_FAULT_POINT";
/// The process of audit and report.
const READERS: usize = 3;

/// Lets an installation make a mistake in the fault that shows it; what the checker says then. The installation is
/// of no use afterwards.
///
/// # Panics
/// When the fault itself cannot be brought about.
pub async fn caught(world: &mut World, mistake: &str) -> Vec<Broken> {
    world.ledger.note(format!("planted: {mistake}"));
    match mistake {
        "ack-before-commit" => acks_before_commit(world).await,
        "no-dedupe" => takes_twice(world).await,
        "no-fencing" => publishes_unfenced(world).await,
        "wake-without-poll" => {
            never_polls(world).await;
        }
        other => panic!("no mistake {other}"),
    }
    let broken = world.checker.check(&world.ledger).await;
    world.ledger.note(format!("{mistake}: {} invariants broken", broken.len()));
    broken
}

/// It dies between the two.
async fn acks_before_commit(world: &mut World) {
    let load = Load::start(world).await;
    let settings = [(MISTAKE, "ack-before-commit"), (POINT, "consumer.before-commit:5")];
    world.installation.restart(READERS, &settings);
    eventually("the readers to die", || {
        let ended = world.installation.has_ended(READERS);
        async move { ended.then_some(()) }
    })
    .await;
    world.ready().await;
    load.stop().await;
}

/// Everything comes again.
async fn takes_twice(world: &mut World) {
    world.installation.restart(READERS, &[(MISTAKE, "no-dedupe")]);
    world.installation.process_ready(READERS).await;
    events::repeated(world).await;
}

/// A leader sleeps between reading and publishing, and wakes when another has published the same.
async fn publishes_unfenced(world: &mut World) {
    world
        .installation
        .restart(0, &[(MISTAKE, "no-fencing"), (POINT, "relay.before-publish:1:pause")]);
    world.installation.process_ready(0).await;
    let before = network::epoch(world).await;
    world.installation.kill(1);
    eventually("the replica apart to lead", || async {
        (network::epoch(world).await > before).then_some(())
    })
    .await;
    world.installation.restart(1, &[]);
    world.installation.process_ready(1).await;
    let load = Load::start(world).await;
    eventually("the leader to sleep", || {
        let paused = world.installation.is_paused(0);
        async move { paused.then_some(()) }
    })
    .await;
    world.ledger.note("the leader sleeps");
    let led = before + 1;
    eventually("another to lead", || async { (network::epoch(world).await > led).then_some(()) })
        .await;
    world.acked(5).await;
    load.stop().await;
    // What the stream itself would still know as a repeat is no test of the fence.
    let stream = jetstream::new(world.checker.nats().clone()).get_stream("SITEPASS_TICKET").await;
    let window = stream.expect("the stream is there").cached_info().config.duplicate_window;
    tokio::time::sleep(window + Duration::from_secs(1)).await;
    world.ledger.note("the leader wakes");
    world.installation.resume(0);
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// The other replica writes, and nothing in the leader's own process commits.
async fn never_polls(world: &mut World) {
    world.installation.restart(0, &[(MISTAKE, "wake-without-poll")]);
    world.installation.process_ready(0).await;
    let before = network::epoch(world).await;
    world.installation.kill(1);
    eventually("the replica apart to lead", || async {
        (network::epoch(world).await > before).then_some(())
    })
    .await;
    world.installation.restart(1, &[]);
    world.installation.process_ready(1).await;
    let client = Client::new(world).await;
    for _ in 0..3 {
        let number = world.titles.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        client.publish(number, true, &CancellationToken::new()).await;
    }
}
