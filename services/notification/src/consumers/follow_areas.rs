use events::{Delivery, Failure, Handler};
use proto::Event;
use proto::directory::v1::AreaChanged;
use service::Tx;

use crate::store::areas;

/// Keeps the areas' names for messages.
#[derive(Debug, Clone, Copy)]
pub struct FollowAreas;

#[events::async_trait]
impl Handler for FollowAreas {
    fn durable(&self) -> &'static str {
        "notification--follow-areas"
    }

    fn context(&self) -> &'static str {
        AreaChanged::CONTEXT
    }

    fn events(&self) -> &'static [&'static str] {
        &[AreaChanged::NAME]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Area"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let fact: AreaChanged = delivery.decode()?;
        let area = delivery.carried("area", fact.area)?;
        let id = delivery.parse("area_id", &area.area_id)?;
        let site = delivery.parse("site_id", &area.site_id)?;
        Ok(areas::keep(tx, id, site, &area.name, delivery.row_version()?).await?)
    }
}
