use chrono::{DateTime, Utc};
use proto::device::v1::PassageRecorded;
use service::{Scope, StoreError, Tx};
use types::DeviceId;

use super::{App, Error};
use crate::domain::{Device, Entry, Gap, Key, Outcome, Passage, Report, Source, Status, settle};
use crate::{store, wire};

/// More in one batch are refused whole.
pub(crate) const MOST_EVENTS: usize = 500;

/// What became of each event, in the batch's order, and which numbers are missing now.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) missing: Vec<Gap>,
}

impl App {
    /// Keeps what a controller reported. Each event is judged by itself; the same one again, in whatever batch and
    /// however late, is the same passage.
    #[tracing::instrument(name = "device.record_events", skip_all, fields(device.id = %device, events = batch.len()))]
    pub(crate) async fn record_events(
        &self,
        device: &DeviceId,
        batch: Vec<Entry>,
    ) -> Result<Recorded, Error> {
        let received_at = self.shell.clock.now();
        let mut tx = self.store.begin(Scope::System("passages of one device")).await?;
        let device = store::devices::lock(&mut tx, device).await?;
        let mut device =
            device.filter(|device| device.status == Status::Active).ok_or(Error::NotFound)?;
        let keys: Vec<Key> = batch.iter().filter_map(|entry| entry.key.clone().ok()).collect();
        let held = store::passages::held(&mut tx, &device.id, &keys).await?;
        let (outcomes, new) = settle(batch, held);
        let passages = placed(&mut tx, &device, new, received_at).await?;
        store::passages::insert(&mut tx, &passages).await?;
        // A rejected event has come, too: it is not asked for again.
        device.sequence.note(keys.iter().map(|key| key.seq).filter(|seq| *seq > 0));
        device.seen(received_at);
        store::devices::save(&mut tx, &device).await?;
        let facts: Vec<PassageRecorded> = passages.iter().map(wire::passage_recorded).collect();
        events::enqueue_all(&mut tx, &facts, received_at).await?;
        tx.commit().await?;
        count(&outcomes);
        Ok(Recorded { outcomes, missing: device.sequence.gaps })
    }
}

/// New reports with what we know about them: where, who, and when it really was.
async fn placed(
    tx: &mut Tx,
    device: &Device,
    new: Vec<(types::PassageId, Key, Report)>,
    received_at: DateTime<Utc>,
) -> Result<Vec<Passage>, Error> {
    let area = device.area().ok_or_else(|| StoreError::corrupt("devices", &device.id))?;
    let faces: Vec<String> = new
        .iter()
        .filter_map(|(_, _, report)| report.face.as_ref())
        .map(ToString::to_string)
        .collect();
    let workers = store::workers::of_faces(tx, &faces).await?;
    let passages = new.into_iter().map(|(id, key, report)| Passage {
        id,
        site: device.site,
        device: device.id.clone(),
        area,
        key,
        corrected_time: device.clock_error.correct(report.event_time, received_at),
        received_at,
        worker: report.face.as_ref().and_then(|face| workers.get(face.as_str()).copied()),
        reason: report.known_reason().map(|reason| (reason, Source::Reported)),
        detail: String::new(),
        report,
    });
    Ok(passages.collect())
}

fn count(outcomes: &[Outcome]) {
    for outcome in outcomes {
        metrics::counter!("sitepass_device_events_total", "outcome" => wire::outcome_name(outcome))
            .increment(1);
    }
}
