use anyhow::{Context, Result, bail};
use serde_json::Value;
use types::{Language, Mend, ReasonCode};

use super::morning::Ticket;
use super::{Day, cast};
use crate::api::{items, text};

impl Day<'_> {
    /// Who trained goes in; everybody else is refused, each with the reason.
    pub(super) async fn doors(&self, ticket: &Ticket) -> Result<()> {
        self.set("06:10", super::SPEED).await?;
        let (area_a, group_a) = &self.demo.area_a;
        let (area_b, group_b) = &self.demo.area_b;
        for index in cast::GOOD.into_iter().chain([cast::SILENT]) {
            let seen = self.sandbox.swipe(group_a, &self.roster[index].face_id, "IN").await?;
            if seen["opened"] != true {
                bail!("{} trained and stands before a closed door", self.roster[index].name);
            }
            self.passage(ticket, index, &seen).await?;
        }
        self.tell(&format!("{} workers let in at 1#楼A区", cast::GOOD.len() + 1)).await?;

        self.refused(ticket, cast::STRANGER, (area_a, group_a), ReasonCode::NotInTicket).await?;
        self.refused(ticket, cast::GOOD[0], (area_b, group_b), ReasonCode::AreaNotAllowed).await?;
        self.refused(ticket, cast::UNBOUND, (area_a, group_a), ReasonCode::IdentityNotBound)
            .await?;
        self.refused(ticket, cast::CHEAT, (area_a, group_a), ReasonCode::TrainingIncomplete)
            .await?;

        self.sandbox.fault(&format!("door:{group_a}"), "error", 300).await?;
        let (name, _, authorized) = self.learn(cast::UNLUCKY).await?;
        if authorized {
            bail!("the door was out of reach, and {name} is shown as authorized");
        }
        self.tell(&format!(
            "{name} trained while the door of 1#楼A区 is out of reach: not authorized yet"
        ))
        .await?;
        self.refused(ticket, cast::UNLUCKY, (area_a, group_a), ReasonCode::SyncPending).await?;
        self.sandbox.heal().await?;
        let wanted = cast::GOOD.len() + 2;
        self.timeline
            .until("the late grant", || async {
                Ok((self.synced(ticket).await? == wanted).then_some(()))
            })
            .await?;
        let seen = self.sandbox.swipe(group_a, &self.roster[cast::UNLUCKY].face_id, "IN").await?;
        if seen["opened"] != true {
            bail!("the door was told, and {name} is still refused");
        }
        self.tell(&format!(
            "The door is back: the grant was pushed again and proved, {name} goes in"
        ))
        .await?;

        self.sandbox.door(group_a, "refuse_all").await?;
        self.refused(ticket, cast::GOOD[1], (area_a, group_a), ReasonCode::DeviceError).await?;
        self.sandbox.door(group_a, "ok").await
    }

    /// Somebody is refused at a door that says nothing; Sitepass explains it.
    pub(super) async fn refused(
        &self,
        ticket: &Ticket,
        index: usize,
        (area_id, group): (&str, &str),
        reason: ReasonCode,
    ) -> Result<()> {
        let seen = self.sandbox.swipe(group, &self.roster[index].face_id, "IN").await?;
        if seen["opened"] != false {
            bail!("{} should have been refused with {reason}", self.roster[index].name);
        }
        let passage = self.passage(ticket, index, &seen).await?;
        if text(&passage, "reason_code") != reason.as_str() {
            bail!(
                "{} was explained as {}, not {reason}",
                self.roster[index].name,
                passage["reason_code"]
            );
        }
        let name = &self.roster[index].name;
        self.tell(&format!("{name} refused: {reason}. {}", reason.sentence(Language::En))).await?;
        let at = text(&passage, "event_time");
        let told = self.explain(&ticket.worker_ids[&index], area_id, &at).await?;
        for failing in told["failing"].as_array().into_iter().flatten() {
            self.timeline.detail(&format!("{} → {}", text(failing, "reason_code"), mend(failing)));
        }
        if told["failing"].as_array().is_none_or(Vec::is_empty) {
            self.timeline.detail(&format!("→ {}", reason.action().sentence(Language::En)));
        }
        Ok(())
    }

    /// Waits until what a door reported is on record, a refusal with its reason.
    pub(super) async fn passage(
        &self,
        ticket: &Ticket,
        index: usize,
        seen: &Value,
    ) -> Result<Value> {
        let seq = seen["event"]["seq"].as_u64().context("the door numbered no event")?;
        let worker = &ticket.worker_ids[&index];
        let path = format!("/api/admin/passages?site_id={}&worker_id={worker}", self.demo.site_id);
        self.timeline
            .until("the passage on record", || async {
                let found = items(&self.admin.get(&path).await?).into_iter().find(|row| {
                    row["seq"] == seq && row["device_id"] == seen["event"]["device_id"]
                });
                let known =
                    |row: &Value| row["result"] == "PASS" || !text(row, "reason_code").is_empty();
                Ok(found.filter(known))
            })
            .await
    }
}

/// What mends it, in words.
fn mend(failing: &Value) -> String {
    let key = text(failing, "mend");
    let known = Mend::ALL.iter().find(|mend| mend.what == key);
    known.map_or(key.clone(), |mend| mend.sentence(Language::En).to_owned())
}
