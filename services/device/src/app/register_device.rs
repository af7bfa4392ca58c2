use std::collections::BTreeSet;

use auth::Caller;
use events::AuditFact;
use prost::Message;
use proto::device::v1::RegisterDeviceResponse;
use proto::directory::v1::CheckReferencesRequest;
use proto::directory::v1::directory_service_client::DirectoryServiceClient;
use service::idempotency::{self, Claim, Key};
use service::{Fields, Refusal, Scope, StoreError, Tx};
use types::{AreaId, DeviceId, ErrorCode, EventId, SiteId};

use super::{App, Error, SECRET};
use crate::domain::Area;
use crate::domain::{ClockError, Device, Senses, Sequence, Status};
use crate::store::areas;
use crate::store::devices::Sealed;
use crate::{store, wire};

const SECRET_BYTES: usize = 32;

/// A controller to be let in.
#[derive(Debug)]
pub(crate) struct RegisterDevice {
    pub(crate) caller: Caller,
    pub(crate) key: Option<Key>,
    pub(crate) device: DeviceId,
    pub(crate) site: SiteId,
    pub(crate) name: String,
    pub(crate) areas: Vec<AreaId>,
    pub(crate) senses: Senses,
}

impl App {
    /// Registers a controller and shows its secret, this once: we keep it sealed. The same key again answers the
    /// controller *without* its secret; without a key a second registration is refused.
    #[tracing::instrument(name = "device.register", skip_all, fields(device.id = %cmd.device))]
    pub(crate) async fn register_device(
        &self,
        cmd: RegisterDevice,
    ) -> Result<RegisterDeviceResponse, Error> {
        if !cmd.caller.may_touch(cmd.site) {
            return Err(Error::NotFound);
        }
        if let Some(answer) = self.answer_given(&cmd).await? {
            return Ok(answer);
        }
        let told = self.check_areas(&cmd).await?;
        let now = self.shell.clock.now();
        let device = Device {
            id: cmd.device.clone(),
            site: cmd.site,
            name: cmd.name,
            areas: cmd.areas,
            senses: cmd.senses,
            status: Status::Active,
            firmware: String::new(),
            spool: 0,
            last_seen_at: None,
            online_since: None,
            clock_error: ClockError::none(),
            sequence: Sequence::default(),
            version: 1,
        };
        let secret = draw_secret();
        let secret_id = EventId::new().as_uuid();
        let sealed =
            Sealed { id: secret_id, secret: self.vault.seal(SECRET, secret_id, secret.as_bytes()) };

        let mut tx = self.store.begin(Scope::Site(device.site)).await?;
        match idempotency::claim(&mut tx, cmd.key.as_ref(), self.shell.system.now()).await? {
            Claim::Replay(answer) => return replay(&answer),
            Claim::New => {}
        }
        for area in &told {
            areas::keep(&mut tx, area).await?;
        }
        store::devices::insert(&mut tx, &device, &sealed, now).await.map_err(|err| {
            match err.constraint() {
                Some("devices_pkey") => Error::Taken,
                _ => Error::Store(err),
            }
        })?;
        events::enqueue(&mut tx, &wire::device_changed(&device), now).await?;
        let record = AuditFact {
            context: "device",
            caller: &cmd.caller,
            action: "device.register",
            target_type: "device",
            target_id: device.id.to_string(),
            site: Some(device.site),
            before: None,
            after: Some(wire::device_record(&device)),
            reason: None,
            at: now,
        };
        events::audit(&mut tx, record).await?;
        let mut answer =
            RegisterDeviceResponse { device: Some(wire::device(&device)), secret: String::new() };
        idempotency::answer(&mut tx, cmd.key.as_ref(), &answer).await?;
        tx.commit().await?;
        answer.secret = secret;
        Ok(answer)
    }

    /// What this key was answered before; looked up first, so that a repeated call is not judged by what has changed.
    async fn answer_given(
        &self,
        cmd: &RegisterDevice,
    ) -> Result<Option<RegisterDeviceResponse>, Error> {
        let Some(key) = &cmd.key else { return Ok(None) };
        let mut tx = self.store.begin(Scope::Site(cmd.site)).await?;
        // Not committed: a key that is new here is claimed again in the transaction of its effect.
        match idempotency::claim(&mut tx, Some(key), self.shell.system.now()).await? {
            Claim::Replay(answer) => replay(&answer).map(Some),
            Claim::New => Ok(None),
        }
    }

    /// Every area must be a live one of the site. What our copy does not know yet, directory is asked about, on
    /// behalf of the caller; what it tells is to be kept.
    async fn check_areas(&self, cmd: &RegisterDevice) -> Result<Vec<Area>, Error> {
        let mut tx: Tx = self.store.begin(Scope::Site(cmd.site)).await?;
        let mut known: BTreeSet<AreaId> = areas::active(&mut tx, cmd.site, &cmd.areas).await?;
        drop(tx);
        let unknown: Vec<String> =
            cmd.areas.iter().filter(|id| !known.contains(id)).map(ToString::to_string).collect();
        if unknown.is_empty() {
            return Ok(Vec::new());
        }
        let ask = CheckReferencesRequest {
            site_id: cmd.site.to_string(),
            area_ids: unknown,
            ..Default::default()
        };
        let mut directory = DirectoryServiceClient::new(self.shell.peers.transport("directory"));
        let answer = directory.check_references(self.shell.on_behalf(&cmd.caller, ask)).await;
        let answer = answer.map_err(|status| match Refusal::from_status(&status) {
            refusal if refusal.code == ErrorCode::NotFound => Error::NotFound,
            refusal => Error::Peer(refusal),
        })?;
        let told: Vec<Area> =
            answer.into_inner().areas.iter().filter_map(|area| wire::area(area).ok()).collect();
        known.extend(
            told.iter().filter(|area| area.active && area.site == cmd.site).map(|area| area.id),
        );
        let mut fields = Fields::new();
        for (place, area) in cmd.areas.iter().enumerate() {
            fields.check(
                known.contains(area),
                &format!("area_ids[{place}]"),
                "is no live area of the site",
            );
        }
        fields.finish()?;
        Ok(told)
    }
}

/// 32 random bytes as hexadecimal text; the text itself is the key of the signatures.
fn draw_secret() -> String {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    hex::encode(bytes)
}

fn replay(answer: &[u8]) -> Result<RegisterDeviceResponse, Error> {
    let read = RegisterDeviceResponse::decode(answer);
    Ok(read.map_err(|_| StoreError::corrupt("idempotency_keys", "device.register"))?)
}
