use chrono::{DateTime, TimeDelta, Utc};
use service::Scope;

use super::{App, Error};
use crate::domain::{Device, Heard, Heartbeat};
use crate::{store, wire};

/// Clocks that differ by less agree: it is what a message takes.
const TOLERANCE_SECONDS: f64 = 2.0;

impl App {
    /// Takes in a controller's sign of life and answers site time. Bringing it back online is told once.
    #[tracing::instrument(name = "device.take_heartbeat", skip_all, fields(device.id = %device.id))]
    pub(crate) async fn take_heartbeat(
        &self,
        device: &Device,
        beat: Heartbeat,
    ) -> Result<DateTime<Utc>, Error> {
        let now = self.shell.clock.now();
        let tolerance = self.tolerance();
        let mut tx = self.store.begin(Scope::Site(device.site)).await?;
        let mut device = store::devices::lock(&mut tx, &device.id).await?.ok_or(Error::NotFound)?;
        let heard = device.heard(beat, now, tolerance);
        store::devices::save(&mut tx, &device).await?;
        match heard {
            Heard::AsBefore => {}
            Heard::CameBack => {
                events::enqueue(&mut tx, &wire::device_online(&device), now).await?;
            }
            Heard::Changed => {
                events::enqueue(&mut tx, &wire::device_changed(&device), now).await?;
            }
        }
        tx.commit().await?;
        Ok(now)
    }

    /// Site time runs away from a message on its way when it is sped up.
    fn tolerance(&self) -> TimeDelta {
        let real = std::time::Duration::from_secs_f64(
            TOLERANCE_SECONDS * self.shell.clock.speed().max(1.0),
        );
        TimeDelta::from_std(real).unwrap_or(TimeDelta::MAX)
    }
}
