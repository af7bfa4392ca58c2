use chrono::{DateTime, Utc};
use decision::{Direction, DoorVerdict};
use events::{Delivery, Failure, Handler, async_trait};
use proto::device::v1 as pb;
use service::Tx;
use types::{AreaId, DeviceId, FaceId, PassageId, ReasonCode, SiteClock, SiteId, WorkerId};

use super::{instant, missing, parse, parse_all, parse_some};
use crate::domain::{Sight, Whom};
use crate::record::{Finding, record};
use crate::store::decisions::{self, Explained};
use crate::store::{devices, grants, picture, queue, workers};
use crate::wire;

/// Keeps which doors are at work. A passage through a door proves the grant that opened it; a refusal without a known
/// reason is explained as of its time.
#[derive(Debug, Clone)]
pub struct FollowDevices {
    clock: SiteClock,
}

/// A passage as far as it matters here.
struct Passage {
    id: PassageId,
    site: SiteId,
    device: DeviceId,
    /// Empty where the device is registered for no area.
    area: Option<AreaId>,
    at: DateTime<Utc>,
    face: Option<FaceId>,
    direction: Direction,
    passed: bool,
    reported: Option<ReasonCode>,
}

impl FollowDevices {
    pub fn new(clock: SiteClock) -> Self {
        Self { clock }
    }

    async fn passage(&self, tx: &mut Tx, passage: Passage) -> Result<(), Failure> {
        let failed = passage.reported == Some(ReasonCode::DeviceError);
        if let Some(area) = passage.area {
            devices::sign(tx, &passage.device, passage.site, area, failed, passage.at).await?;
        }
        match (passage.passed, passage.reported) {
            (true, _) => self.prove(tx, &passage).await,
            (false, Some(_)) => Ok(()),
            (false, None) => self.explain(tx, &passage).await,
        }
    }

    /// Who came in was let in by a grant the door holds. Where several could have, it is not said which.
    async fn prove(&self, tx: &mut Tx, passage: &Passage) -> Result<(), Failure> {
        let (Some(area), Some(face), Direction::In) =
            (passage.area, &passage.face, passage.direction)
        else {
            return Ok(());
        };
        let Some((worker, _)) = workers::by_face(tx, face, passage.at).await? else {
            return Ok(());
        };
        let opening = self.opening(tx, worker, area, passage.at).await?;
        let [(id, revision)] = opening.as_slice() else { return Ok(()) };
        let grants = queue::with_siblings(tx, &[*id])
            .await?
            .into_iter()
            .map(|leased| leased.grant)
            .collect();
        let finding =
            Finding { grant: *id, revision: *revision, sent_at: None, sight: Sight::Right };
        Ok(record(tx, grants, vec![finding], self.clock.now()).await?)
    }

    async fn opening(
        &self,
        tx: &mut Tx,
        worker: WorkerId,
        area: AreaId,
        at: DateTime<Utc>,
    ) -> Result<Vec<(types::GrantId, u64)>, Failure> {
        let grants = grants::opening(tx, worker, area, at).await?;
        let sent = grants.iter().filter(|grant| grant.sent_at.is_some_and(|sent_at| sent_at <= at));
        Ok(sent.map(|grant| (grant.id, grant.revision)).collect())
    }

    async fn explain(&self, tx: &mut Tx, passage: &Passage) -> Result<(), Failure> {
        let now = self.clock.now();
        // No area is nobody's area: such a refusal is explained too.
        let area = passage.area.unwrap_or_else(|| AreaId::from_uuid(sqlx::types::Uuid::nil()));
        let mut facts = match &passage.face {
            Some(face) => {
                let whom = Whom::Face(face.clone());
                picture::facts_as_of(tx, passage.site, area, &whom, passage.at).await?
            }
            None => picture::facts_of_nobody(tx, passage.site, area, passage.at).await?,
        };
        facts.door.senses = devices::senses(tx, &passage.device).await?;
        let verdict = DoorVerdict { direction: passage.direction, reported: None };
        let explanation = decision::explain(&facts, passage.at, verdict);
        let explained = Explained {
            passage: passage.id,
            site: passage.site,
            as_of: passage.at,
            at: now,
            reason: explanation.reason,
            facts: &facts,
            decision: &explanation.computed,
        };
        if decisions::keep_explanation(tx, explained).await? {
            let (site, reason) = (passage.site, explanation.reason);
            let fact = wire::passage_explained(
                site,
                passage.id,
                reason,
                &explanation.computed,
                passage.at,
            );
            events::enqueue(tx, &fact, now).await?;
            metrics::counter!("sitepass_refusals_explained_total", "reason" => reason.as_str())
                .increment(1);
        }
        Ok(())
    }
}

#[async_trait]
impl Handler for FollowDevices {
    fn durable(&self) -> &'static str {
        "access-grant--follow-devices"
    }

    fn context(&self) -> &'static str {
        "device"
    }

    fn events(&self) -> &'static [&'static str] {
        &["DeviceChanged", "DeviceOnline", "DeviceOffline", "PassageRecorded"]
    }

    fn states(&self) -> &'static [&'static str] {
        &["Device"]
    }

    /// A passage locks the grants of its worker's day, as those do who push them: several could wait in a circle.
    fn batch(&self) -> usize {
        1
    }

    async fn handle(&self, tx: &mut Tx, delivery: &Delivery) -> Result<(), Failure> {
        match delivery.name.as_str() {
            "DeviceChanged" => {
                let fact: pb::DeviceChanged = delivery.decode()?;
                keep(tx, &fact.device.ok_or_else(|| missing("device"))?).await
            }
            "DeviceOffline" => {
                let fact: pb::DeviceOffline = delivery.decode()?;
                keep(tx, &fact.device.ok_or_else(|| missing("device"))?).await
            }
            "DeviceOnline" => {
                let fact: pb::DeviceOnline = delivery.decode()?;
                let device = fact.device.ok_or_else(|| missing("device"))?;
                let since = instant("since", fact.since.as_ref())?;
                keep(tx, &device).await?;
                let id = parse("device_id", &device.device_id)?;
                let site = parse("site_id", &device.site_id)?;
                for area in parse_all("area_ids", &device.area_ids)? {
                    devices::sign(tx, &id, site, area, false, since).await?;
                }
                Ok(())
            }
            "PassageRecorded" => {
                let fact: pb::PassageRecorded = delivery.decode()?;
                self.passage(tx, read(&fact.passage.ok_or_else(|| missing("passage"))?)?).await
            }
            _ => Ok(()),
        }
    }
}

async fn keep(tx: &mut Tx, device: &pb::Device) -> Result<(), Failure> {
    let id = parse("device_id", &device.device_id)?;
    let site = parse("site_id", &device.site_id)?;
    let areas = parse_all("area_ids", &device.area_ids)?;
    let direction @ ("both" | "in_only" | "none") = device.direction.as_str() else {
        return Err(Failure::Park("direction is unknown".to_owned()));
    };
    Ok(devices::keep(tx, &id, device.version, site, &areas, direction).await?)
}

fn read(passage: &pb::Passage) -> Result<Passage, Failure> {
    Ok(Passage {
        id: parse("passage_id", &passage.passage_id)?,
        site: parse("site_id", &passage.site_id)?,
        device: parse("device_id", &passage.device_id)?,
        area: parse_some("area_id", &passage.area_id)?,
        at: instant(
            "corrected_time",
            passage.corrected_time.as_ref().or(passage.event_time.as_ref()),
        )?,
        // What is no face of the vendor's is an unknown one.
        face: passage.face_id.parse().ok(),
        direction: if passage.direction == "OUT" { Direction::Out } else { Direction::In },
        passed: passage.result == "PASS",
        reported: passage.reported_reason_code.parse().ok(),
    })
}
