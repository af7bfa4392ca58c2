use std::time::Duration;

use proto::access_grant::v1::access_grant_service_client::AccessGrantServiceClient;
use proto::access_grant::v1::{DoorChange, ListDoorChangesRequest};
use service::{Refusal, Scope};
use sha2::{Digest, Sha256};
use types::ErrorCode;

use super::{App, Error};
use crate::domain::Device;
use crate::store;

/// Beyond the wait asked for, for the answer itself.
const MARGIN: Duration = Duration::from_secs(5);

/// A controller asks what it should hold.
#[derive(Debug)]
pub(crate) struct ListPermissions {
    /// Empty: everything, from the start.
    pub(crate) cursor: String,
    pub(crate) limit: u32,
    pub(crate) wait: Duration,
}

/// Changes since the cursor, and the next cursor.
#[derive(Debug)]
pub(crate) struct Permissions {
    pub(crate) changes: Vec<DoorChange>,
    pub(crate) cursor: String,
    pub(crate) more: bool,
}

impl App {
    /// What changed for the doors of the controller's areas since the cursor; waits for a change when there is none.
    /// A controller whose access groups have changed is told to start again: its position is in another log.
    #[tracing::instrument(name = "device.list_permissions", skip_all, fields(device.id = %device.id))]
    pub(crate) async fn list_permissions(
        &self,
        device: &Device,
        query: ListPermissions,
    ) -> Result<Permissions, Error> {
        let mut tx = self.store.begin(Scope::Site(device.site)).await?;
        let groups = store::areas::groups(&mut tx, device.site, &device.areas).await?;
        drop(tx);
        let log = name_of(&groups);
        let position = match query.cursor.split_once('.') {
            None if query.cursor.is_empty() => String::new(),
            Some((of, position)) if of == log => position.to_owned(),
            _ => return Err(Error::Invalid(Refusal::new(ErrorCode::CursorExpired))),
        };
        let nothing = Permissions { changes: Vec::new(), cursor: query.cursor, more: false };
        // Shutdown must not wait for controllers that wait for changes.
        let stop = self.shell.tasks.cancelled();
        if groups.is_empty() {
            // Nothing can change before directory gives an area its group; the next call looks again.
            tokio::select! {
                () = tokio::time::sleep(query.wait) => {}
                () = stop => {}
            }
            return Ok(nothing);
        }
        let message = ListDoorChangesRequest {
            access_group_ids: groups,
            cursor: position,
            limit: query.limit,
            wait_ms: u32::try_from(query.wait.as_millis()).unwrap_or(u32::MAX),
        };
        let mut request = self.shell.as_service("device", message);
        request.set_timeout(query.wait + MARGIN);
        let mut access_grant =
            AccessGrantServiceClient::new(self.shell.peers.transport("access-grant"));
        let answer = tokio::select! {
            answer = access_grant.list_door_changes(request) => answer,
            () = stop => return Ok(nothing),
        };
        let answer =
            answer.map_err(|status| Error::Peer(Refusal::from_status(&status)))?.into_inner();
        Ok(Permissions {
            changes: answer.changes,
            cursor: format!("{log}.{}", answer.cursor),
            more: answer.more,
        })
    }
}

/// A short name for the log of these groups.
fn name_of(groups: &[String]) -> String {
    hex::encode(&Sha256::digest(groups.join("\n"))[..4])
}
