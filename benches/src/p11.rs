//! P11: how soon everything works again after a kill -9, and how fast a lost stream is rebuilt.

mod load;
mod rebuild;
mod restart;

use std::path::Path;

use anyhow::Result;

use crate::figures::{Bound, Figures};
use crate::sizes::Sizes;
use crate::world::World;

pub(crate) async fn measure(
    world: &mut World,
    sizes: &Sizes,
    sitepass: Option<&Path>,
) -> Result<Figures> {
    say!("\nP11: recovery");
    let mut figures = Figures::of("P11", "Restart after kill -9, and rebuilding a stream");
    for round in 1..=sizes.rounds {
        say!("  restarts: round {round} of {}", sizes.rounds);
        restart::round(world, sizes, sitepass, &mut figures).await?;
        world.clear_streams().await?;
    }
    restart::goals(&mut figures, sitepass.is_some());
    rebuild::measure(world, sizes, &mut figures).await?;
    figures.ratio(
        "rebuilding ≥ 0.6 of atomic batches alone",
        rebuild::OURS,
        rebuild::BATCHES,
        Bound::AtLeast(0.6),
    );
    restart::explain(sizes, sitepass.is_some(), &mut figures);
    figures.setting(
        "rebuilding",
        format!("{} sent events; NATS stopped, its folder of streams removed, started again; from the relay's start until the stream holds every event and no row is unsent", sizes.rebuilt),
    );
    figures.setting(
        "atomic batches alone",
        "as many events of the same size, new ids, one batch of 1000 at a time",
    );
    Ok(figures)
}
