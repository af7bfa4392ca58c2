use anyhow::{Context, Result, bail};
use serde_json::json;

use super::morning::Ticket;
use super::{Day, cast};
use crate::api::text;
use crate::controller::Controller;

impl Day<'_> {
    /// A controller of the other kind: it fetches, asks and reports by itself.
    pub(super) async fn controller(&self, _: &Ticket) -> Result<()> {
        let device_id = format!("gate-{}", self.date.format("%Y%m%d"));
        let body = json!({
            "device_id": device_id, "site_id": self.demo.site_id, "name": "3号门",
            "area_ids": [self.demo.area_a.0], "direction": "both",
        });
        let made =
            self.admin.post("/api/admin/devices", &body).await.context("register a controller")?;
        let controller = Controller::new(&self.urls.device, &device_id, &text(&made, "secret"))?;
        let now = self.sandbox.now().await?;
        let beat = json!({ "firmware": "1.4.2", "time": now.to_rfc3339(), "spool": 0 });
        controller.post("/heartbeat", &beat).await?.ok().context("heartbeat")?;
        let held = controller.get("/permissions").await?.ok().context("permissions")?;
        let held = held["changes"].as_array().map_or(0, Vec::len);
        let wanted = cast::GOOD.len() + 2;
        if held < wanted {
            bail!("the controller fetched {held} permissions of {wanted}");
        }

        let ask = |index: usize| json!({ "face_id": self.roster[index].face_id, "direction": "IN", "at": now.to_rfc3339() });
        let yes =
            controller.post("/decisions", &ask(cast::GOOD[0])).await?.ok().context("decision")?;
        let no =
            controller.post("/decisions", &ask(cast::STRANGER)).await?.ok().context("decision")?;
        if yes["allow"] != true
            || no["allow"] != false
            || text(&no, "reason_code") != "NOT_IN_TICKET"
        {
            bail!("online decisions: {yes} and {no}");
        }
        let event = json!({
            "seq": 1, "event_time": now.to_rfc3339(), "face_id": self.roster[cast::GOOD[0]].face_id,
            "direction": "IN", "result": "PASS", "reason_code": "", "picture": null,
        });
        for outcome in ["accepted", "duplicate"] {
            let told = controller
                .post("/events", &json!({ "events": [event] }))
                .await?
                .ok()
                .context("events")?;
            let got = told["events"]
                .as_array()
                .or(told["outcomes"].as_array())
                .and_then(|all| all.first());
            if got.is_none_or(|got| got["outcome"] != outcome) {
                bail!("an event was answered with {told}, not {outcome}");
            }
        }
        let summary = format!(
            "Controller {device_id} (pull): heartbeat, {held} permissions fetched, 2 online decisions, 1 event told twice and kept once"
        );
        self.tell(&summary).await
    }
}
