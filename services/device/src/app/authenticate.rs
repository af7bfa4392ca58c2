use auth::device_signature;
use chrono::{DateTime, TimeDelta, Utc};
use service::Scope;
use types::DeviceId;

use super::{App, Error, SECRET};
use crate::domain::{Device, Status};
use crate::store;

const LONGEST_NONCE: usize = 128;
/// Checked in place of an unknown device's secret, so that unknown and wrong take alike.
const NOBODY: &[u8] = b"no device has this secret";

/// A request as its sender signed it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) device: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path_and_query: &'a str,
    pub(crate) body: &'a [u8],
    /// It changes something, so its nonce is used up.
    pub(crate) changes: bool,
}

impl App {
    /// Who sent this. Every reason to refuse reads the same to the sender.
    pub(crate) async fn authenticate(&self, signed: Signed<'_>) -> Result<Device, Error> {
        let now = self.shell.system.now();
        let id = DeviceId::parse(signed.device).map_err(|_| Error::NotAuthentic)?;
        let nonce_fits = (1..=LONGEST_NONCE).contains(&signed.nonce.len())
            && signed.nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !nonce_fits || !device_signature::is_fresh(signed.timestamp, now) {
            return Err(Error::NotAuthentic);
        }
        let mut tx = self.store.begin(Scope::System("who sent this")).await?;
        let found = store::devices::with_secret(&mut tx, &id).await?;
        let found = found.filter(|(device, _)| device.status == Status::Active);
        let Some((device, sealed)) = found else {
            // The outcome is of no interest, the time it takes is.
            std::hint::black_box(is_genuine(NOBODY, signed));
            return Err(Error::NotAuthentic);
        };
        let secret = self
            .vault
            .open(SECRET, sealed.id, &sealed.secret)
            .map_err(|cause| Error::Sealed(id.to_string(), cause))?;
        if !is_genuine(&secret, signed) {
            return Err(Error::NotAuthentic);
        }
        if signed.changes {
            let expires_at = fresh_until(signed.timestamp).ok_or(Error::NotAuthentic)?;
            if !store::nonces::spend(&mut tx, &id, signed.nonce, expires_at, now).await? {
                return Err(Error::NotAuthentic);
            }
            tx.commit().await?;
        }
        Ok(device)
    }
}

fn is_genuine(secret: &[u8], signed: Signed<'_>) -> bool {
    device_signature::verify(
        secret,
        signed.timestamp,
        signed.nonce,
        signed.method,
        signed.path_and_query,
        signed.body,
        signed.signature,
    )
}

/// Until when a request with this timestamp is fresh.
fn fresh_until(timestamp: &str) -> Option<DateTime<Utc>> {
    let skew = TimeDelta::seconds(i64::try_from(device_signature::MAX_SKEW_SECONDS).ok()?);
    DateTime::from_timestamp(timestamp.parse().ok()?, 0)?.checked_add_signed(skew)
}
