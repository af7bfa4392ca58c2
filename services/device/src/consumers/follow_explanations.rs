use events::{Delivery, Failure, Handler, async_trait};
use proto::access_grant::v1::PassageExplained;
use service::Tx;

use crate::store;
use crate::store::explanations::Explanation;

/// Keeps why doors refused that gave no known reason. An explanation may come before its passage is seen here.
#[derive(Debug, Clone, Copy)]
pub struct FollowExplanations;

#[async_trait]
impl Handler for FollowExplanations {
    fn durable(&self) -> &'static str {
        "device--follow-explanations"
    }

    fn context(&self) -> &'static str {
        "access_grant"
    }

    fn events(&self) -> &'static [&'static str] {
        &["PassageExplained"]
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        let fact: PassageExplained = delivery.decode()?;
        let explanation =
            read(fact).map_err(|field| Failure::Park(format!("{field} cannot be read")))?;
        Ok(store::explanations::keep(tx, &explanation).await?)
    }
}

fn read(fact: PassageExplained) -> Result<Explanation, &'static str> {
    Ok(Explanation {
        passage: fact.passage_id.parse().map_err(|_| "passage_id")?,
        site: fact.site_id.parse().map_err(|_| "site_id")?,
        reason: fact.reason_code.parse().map_err(|_| "reason_code")?,
        as_of: proto::instant(fact.as_of.as_ref()),
        detail: fact.detail,
    })
}
