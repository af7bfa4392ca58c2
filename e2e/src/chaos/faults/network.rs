use std::time::Duration;

use async_nats::jetstream;
use rand::Rng;
use rand::seq::SliceRandom;
use test_support::{NetFault, Proxy, eventually};

use crate::chaos::{Scale, World};

#[derive(Debug, Clone, Copy)]
enum Way {
    Database,
    Broker,
    Services,
}

/// F9: every kind of bad network on every kind of way; at full length on all of a kind at once or on one alone, by turns: the
/// next seed has the other.
pub(crate) async fn bad_ways(world: &mut World) {
    let faults = [
        NetFault::Reset { within: 4096 },
        NetFault::Latency(Duration::from_secs(2)),
        NetFault::Rate(10_000),
        NetFault::BlackHole,
        NetFault::HalfOpen,
    ];
    let ways = [Way::Database, Way::Broker, Way::Services];
    let pairs = ways.into_iter().flat_map(|way| faults.map(|fault| (way, fault)));
    let turns = [world.seed.is_multiple_of(2), !world.seed.is_multiple_of(2)];
    let mut all: Vec<(Way, NetFault, bool)> = pairs
        .zip(turns.into_iter().cycle())
        .map(|((way, fault), turn)| (way, fault, turn))
        .collect();
    all.shuffle(&mut world.random);
    if world.scale == Scale::Quick {
        // Every fault once, each on some way.
        let mut met = Vec::new();
        all.retain(|(_, fault, _)| {
            !met.contains(fault) && {
                met.push(*fault);
                true
            }
        });
    }
    for (way, fault, turn) in all {
        let alone = world.scale != Scale::Quick && turn;
        let any = world.random.random_range(0..usize::MAX);
        let mut proxies: Vec<_> = match way {
            Way::Database => numbered(&world.ways.postgres),
            Way::Broker => numbered(&world.ways.nats),
            Way::Services => {
                world.ways.grpc.iter().map(|(name, proxy)| ((*name).to_owned(), proxy)).collect()
            }
        };
        let mut which = "each way".to_owned();
        if alone {
            let one = proxies.swap_remove(any % proxies.len());
            which = format!("the way of {} alone", one.0);
            proxies = vec![one];
        }
        for (_, proxy) in proxies {
            proxy.set(fault);
        }
        world.suffer(format!("{fault:?} on {which} to {way:?}"), world.lasts(3, 10)).await;
        world.ways.heal();
        world.ledger.note("the network is well");
        world.acked(3).await;
    }
}

/// With the process that goes each way.
fn numbered(proxies: &[Proxy]) -> Vec<(String, &Proxy)> {
    proxies.iter().enumerate().map(|(number, proxy)| (format!("process {number}"), proxy)).collect()
}

/// F10: the leading relay is cut off from its database, then from the broker. Another leads, once, and what the former
/// leader still had to write is refused.
pub(crate) async fn leader_cut_off(world: &mut World) {
    let lasts = match world.scale {
        Scale::Quick => vec![5],
        Scale::Full { .. } => vec![5, 30, 120],
    };
    for cut in [Cut::Database, Cut::Broker] {
        for seconds in &lasts {
            moves_once(world, cut, Duration::from_secs(*seconds)).await;
        }
        writes_late(world, cut).await;
    }
}

/// What the replica apart is cut off from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Database,
    Broker,
}

impl Cut {
    fn begin(self, world: &World) {
        let proxy = match self {
            Self::Database => &world.ways.postgres[0],
            Self::Broker => &world.ways.nats[0],
        };
        proxy.set(NetFault::Partition);
    }

    /// Whether another must lead after so long.
    fn is_missed_within(self, lasts: Duration) -> bool {
        self == Self::Database || lasts >= Duration::from_secs(30)
    }
}

/// A leader is cut off for so long. One without a database is replaced once its session is over; one without a
/// broker once it gave up waiting for an answer, which may be after the cut.
async fn moves_once(world: &mut World, cut: Cut, lasts: Duration) {
    let before = lead_apart(world, &[]).await;
    cut.begin(world);
    world.suffer(format!("the leader is cut off from its {cut:?}"), lasts).await;
    world.acked(5).await;
    if cut.is_missed_within(lasts) {
        let moved = || async { (epoch(world).await > before).then_some(()) };
        eventually("another to lead", moved).await;
    }
    world.ways.heal();
    world.ledger.note("the network is well");
    world.acked(5).await;
    let moves = epoch(world).await - before;
    let well = if cut.is_missed_within(lasts) { moves == 1 } else { moves <= 1 };
    assert!(well, "the lead moved {moves} times\n{}", world.ledger.story());
}

/// The leader sleeps with facts in hand until another has published them, and wakes on a cut network.
async fn writes_late(world: &mut World, cut: Cut) {
    let led = lead_apart(world, &[("SITEPASS_FAULT_POINT", "relay.before-publish:1:pause")]).await;
    replaced_in_its_sleep(world, led).await;
    let log = world.installation.logs()[0].clone();
    let refused = || {
        let log = std::fs::read_to_string(&log).expect("the process writes its log");
        log.matches("batch in doubt").count()
    };
    let before = refused();
    cut.begin(world);
    world.ledger.note(format!("the former leader wakes, cut off from its {cut:?}"));
    world.installation.resume(0);
    // Of a broker that it reaches it is refused at once; of another it has no answer, and nothing arrives there.
    world.suffer("it writes", Duration::from_secs(2)).await;
    world.ways.heal();
    world.ledger.note("the network is well");
    eventually("the former leader to know that it was not heard", || {
        let refused = refused() > before;
        async move { refused.then_some(()) }
    })
    .await;
    world.acked(5).await;
    let moves = epoch(world).await - led;
    assert_eq!(moves, 1, "the lead moved {moves} times\n{}", world.ledger.story());
}

/// Waits until the replica apart has paused itself and another leads and publishes, past the time in which the stream
/// itself would know a repeat: what is refused afterwards the fence refuses.
pub(crate) async fn replaced_in_its_sleep(world: &World, led: i64) {
    eventually("the leader to sleep", || async { world.installation.is_paused(0).then_some(()) })
        .await;
    world.ledger.note("the leader sleeps");
    eventually("another to lead", || async { (epoch(world).await > led).then_some(()) }).await;
    world.ledger.note("another leads");
    world.acked(5).await;
    let stream = jetstream::new(world.checker.nats().clone()).get_stream("SITEPASS_TICKET").await;
    let window = stream.expect("the stream is there").cached_info().config.duplicate_window;
    world.suffer("the leader sleeps on", window + Duration::from_secs(1)).await;
}

/// Makes the replica that nobody calls the leader of the ticket stream's relay, with these settings for its life; the
/// epoch it leads under. By the time this returns it may have met what the settings plan, and another may lead.
pub(crate) async fn lead_apart(world: &mut World, settings: &[(&str, &str)]) -> i64 {
    let before = epoch(world).await;
    world.ledger.note("the other replica is killed, and the replica apart starts alone");
    world.installation.kill(1);
    world.installation.restart(0, settings);
    let led = eventually("the replica apart to lead", || async {
        Some(epoch(world).await).filter(|epoch| *epoch > before)
    })
    .await;
    world.installation.restart(1, &[]);
    world.installation.process_ready(1).await;
    led
}

/// Counts the leaders of the ticket stream's relay.
pub(crate) async fn epoch(world: &World) -> i64 {
    sqlx::query_scalar(
        "SELECT coalesce(max(epoch), 0) FROM ticket.relay_state WHERE context = 'ticket'",
    )
    .fetch_one(world.checker.pool())
    .await
    .expect("PostgreSQL answers")
}
