use std::time::Duration;

use rand::seq::SliceRandom;
use test_support::{NetFault, eventually};

use crate::chaos::{Scale, World};

#[derive(Debug, Clone, Copy)]
enum Way {
    Database,
    Broker,
    Services,
}

/// F9: every kind of bad network on every kind of way.
pub(crate) async fn bad_ways(world: &mut World) {
    let faults = [
        NetFault::Reset { within: 4096 },
        NetFault::Latency(Duration::from_secs(2)),
        NetFault::Rate(10_000),
        NetFault::BlackHole,
        NetFault::HalfOpen,
    ];
    let ways = [Way::Database, Way::Broker, Way::Services];
    let mut all: Vec<(Way, NetFault)> =
        ways.into_iter().flat_map(|way| faults.map(|fault| (way, fault))).collect();
    all.shuffle(&mut world.random);
    if world.scale == Scale::Quick {
        // Every fault once, each on some way.
        let mut met = Vec::new();
        all.retain(|(_, fault)| {
            !met.contains(fault) && {
                met.push(*fault);
                true
            }
        });
    }
    for (way, fault) in all {
        let proxies: Vec<_> = match way {
            Way::Database => world.ways.postgres.iter().collect(),
            Way::Broker => world.ways.nats.iter().collect(),
            Way::Services => world.ways.grpc.values().collect(),
        };
        for proxy in proxies {
            proxy.set(fault);
        }
        world.suffer(format!("{fault:?} on the way to {way:?}"), world.lasts(3, 10)).await;
        world.ways.heal();
        world.ledger.note("the network is well");
        world.acked(3).await;
    }
}

/// F10: the leading relay is cut off from its database, then from the broker. Another leads, once.
pub(crate) async fn leader_cut_off(world: &mut World) {
    let lasts = match world.scale {
        Scale::Quick => vec![6],
        Scale::Full => vec![6, 30, 120],
    };
    for seconds in lasts {
        let before = lead_apart(world, &[]).await;
        world.ways.postgres[0].set(NetFault::Partition);
        world.suffer("the leader is cut off from PostgreSQL", Duration::from_secs(seconds)).await;
        world.acked(5).await;
        world.ways.heal();
        world.ledger.note("the network is well");
        world.acked(5).await;
        let after = epoch(world).await;
        assert_eq!(after, before + 1, "leadership did not move once\n{}", world.ledger.story());

        lead_apart(world, &[]).await;
        world.ways.nats[0].set(NetFault::Partition);
        world.suffer("the leader is cut off from NATS", Duration::from_secs(seconds)).await;
        world.ways.heal();
        world.ledger.note("the network is well");
        world.acked(5).await;
    }
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
