//! Tells every controller again.

use events::{Announce, Announced, Live, Rows, async_trait};
use service::{StoreError, Tx};
use types::DeviceId;

use crate::{store, wire};

#[derive(Debug, Clone, Copy)]
pub struct Announcer;

#[async_trait]
impl Announce for Announcer {
    fn context(&self) -> &'static str {
        "device"
    }

    fn rows(&self, _kind: &str) -> Rows {
        Rows {
            table: "device.devices",
            key: &[("device_id", "text")],
            live: "true",
            since: "registered_at",
        }
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        _kind: &str,
        live: &[Live],
    ) -> Result<Vec<Announced>, StoreError> {
        let mut told = Vec::new();
        for Live { id, since } in live {
            let id = DeviceId::parse(id).map_err(|_| StoreError::corrupt("devices", id))?;
            let device = store::devices::with_secret(tx, &id).await?;
            told.extend(
                device.map(|(device, _)| Announced::of(&wire::device_changed(&device), *since)),
            );
        }
        Ok(told)
    }
}
