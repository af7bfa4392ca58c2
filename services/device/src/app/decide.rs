use std::time::Duration;

use chrono::{DateTime, Utc};
use proto::access_grant::v1::access_grant_service_client::AccessGrantServiceClient;
use proto::access_grant::v1::{DecideRequest, DecideResponse, Failing};
use service::Refusal;
use types::{FaceId, Mender, ReasonCode};

use super::App;
use crate::domain::{Device, Direction};

/// Someone stands at the gate; a later answer is worth nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// A controller asks whether to open.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) face: FaceId,
    pub(crate) direction: Direction,
    /// The controller's time; recorded, ours decides.
    pub(crate) at: Option<DateTime<Utc>>,
}

/// What the door is told.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) allow: bool,
    pub(crate) reason_code: String,
    pub(crate) detail: String,
    pub(crate) failing: Vec<Failing>,
    pub(crate) until: Option<DateTime<Utc>>,
    /// Empty when access-grant did not decide.
    pub(crate) id: String,
}

impl App {
    /// Asks access-grant. When it is away or late nothing opens, but the way out of a door that knows which way
    /// that is.
    #[tracing::instrument(name = "device.decide", skip_all, fields(device.id = %device.id))]
    pub(crate) async fn decide(&self, device: &Device, ask: Ask) -> Decision {
        let Some(area) = device.area() else { return on_our_own(device, ask.direction) };
        let message = DecideRequest {
            device_id: device.id.to_string(),
            site_id: device.site.to_string(),
            area_id: area.to_string(),
            face_id: ask.face.to_string(),
            direction: ask.direction.as_str().to_owned(),
            at: ask.at.map(proto::timestamp),
            controlled_both_ways: device.is_controlled_both_ways(),
        };
        let mut request = self.shell.as_service("device", message);
        request.set_timeout(PATIENCE);
        let mut access_grant =
            AccessGrantServiceClient::new(self.shell.peers.transport("access-grant"));
        match access_grant.decide(request).await {
            Ok(answer) => decided(answer.into_inner()),
            Err(status) => {
                let code = Refusal::from_status(&status).code;
                tracing::warn!(device.id = %device.id, code = code.name(), "access-grant gave no decision");
                on_our_own(device, ask.direction)
            }
        }
    }
}

fn decided(answer: DecideResponse) -> Decision {
    Decision {
        allow: answer.allow,
        reason_code: answer.reason_code,
        detail: answer.detail,
        failing: answer.failing,
        until: proto::instant(answer.until.as_ref()),
        id: answer.decision_id,
    }
}

fn on_our_own(device: &Device, direction: Direction) -> Decision {
    let opens = device.fails_open(direction);
    let reason = ReasonCode::DeviceError;
    let detail = if opens { "leaving is always allowed" } else { "nobody could decide" };
    let mend = reason.action();
    let failing = Failing {
        reason_code: reason.to_string(),
        detail: detail.to_owned(),
        who: who(mend.who).to_owned(),
        mend: mend.what.to_owned(),
    };
    Decision {
        allow: opens,
        reason_code: if opens { String::new() } else { reason.to_string() },
        detail: detail.to_owned(),
        failing: if opens { Vec::new() } else { vec![failing] },
        until: None,
        id: String::new(),
    }
}

const fn who(mender: Mender) -> &'static str {
    match mender {
        Mender::Worker => "WORKER",
        Mender::Admin => "ADMIN",
        Mender::SysAdmin => "SYS_ADMIN",
        Mender::Guard => "GUARD",
        Mender::Wait => "WAIT",
    }
}
