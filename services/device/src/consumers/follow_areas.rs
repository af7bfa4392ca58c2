use events::{Delivery, Failure, Handler, async_trait};
use proto::directory::v1::AreaChanged;
use service::Tx;

use crate::{store, wire};

/// Keeps which areas there are and which doors belong to them.
#[derive(Debug, Clone, Copy)]
pub struct FollowAreas;

#[async_trait]
impl Handler for FollowAreas {
    fn durable(&self) -> &'static str {
        "device--follow-areas"
    }

    fn context(&self) -> &'static str {
        "directory"
    }

    fn events(&self) -> &'static [&'static str] {
        &["AreaChanged"]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Area"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let fact: AreaChanged = delivery.decode()?;
        let area = wire::area(&fact.area.unwrap_or_default())
            .map_err(|err| Failure::Park(err.to_string()))?;
        Ok(store::areas::keep(tx, &area).await?)
    }
}
