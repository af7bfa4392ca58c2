use anyhow::{Result, bail};
use chrono::Days;
use types::ReasonCode;

use super::morning::Ticket;
use super::{Day, cast};
use crate::api::text;

impl Day<'_> {
    /// Everybody leaves; the window closes; tomorrow is looked at; the day ends and takes its grants with it.
    pub(super) async fn evening(&self, ticket: &Ticket) -> Result<()> {
        let (area_a, group_a) = &self.demo.area_a;
        self.set("19:40", super::SPEED).await?;
        let leaving = cast::GOOD.into_iter().chain([cast::SILENT, cast::UNLUCKY]);
        for index in leaving.clone() {
            let seen = self.sandbox.swipe(group_a, &self.roster[index].face_id, "OUT").await?;
            if seen["opened"] != true {
                bail!("{} cannot leave", self.roster[index].name);
            }
            self.passage(ticket, index, &seen).await?;
        }
        self.tell(&format!("{} workers have left; leaving is always allowed", leaving.count()))
            .await?;

        self.set("20:30", super::SPEED).await?;
        self.refused(ticket, cast::GOOD[2], (area_a, group_a), ReasonCode::OutOfTimeWindow).await?;
        self.figures().await?;
        self.outlook().await?;
        self.midnight(ticket).await?;
        self.audit().await
    }

    async fn figures(&self) -> Result<()> {
        let path = format!("/api/admin/dashboard?site_id={}&date={}", self.demo.site_id, self.date);
        let figures = self
            .timeline
            .until("the day's figures", || async {
                let figures = self.admin.get(&path).await?;
                let by_reason =
                    figures["refusals_by_reason"].as_array().cloned().unwrap_or_default();
                let explained =
                    by_reason.iter().filter(|row| !text(row, "reason_code").is_empty()).count();
                Ok((explained == ReasonCode::ALL.len()).then_some(figures))
            })
            .await?;
        self.tell(&format!(
            "The day in figures: {} trained, {} failed, {} in, {} out, {} refusals with all seven reasons, grants proved after {} ms of site time on average",
            figures["trainings_completed"],
            figures["trainings_failed"],
            figures["passages_in"],
            figures["passages_out"],
            figures["refusals"],
            figures["sync_latency_mean_ms"],
        ))
        .await
    }

    async fn outlook(&self) -> Result<()> {
        let tomorrow = self.date + Days::new(1);
        let at = format!("{tomorrow}T06:00:00%2B08:00");
        let path = format!("/api/admin/outlook?site_id={}&at={at}", self.demo.site_id);
        let outlook = self.admin.get(&path).await?;
        let groups = outlook["groups"].as_array().cloned().unwrap_or_default();
        if groups.is_empty() {
            bail!("nobody is expected tomorrow: {outlook}");
        }
        self.tell(&format!(
            "Outlook for {tomorrow} 06:00: {} expected, {} would pass",
            outlook["expected"], outlook["would_pass"]
        ))
        .await?;
        for group in groups {
            self.timeline.detail(&format!(
                "{} × {} ({})",
                group["workers"],
                text(&group, "reason_code"),
                text(&group, "mend")
            ));
        }
        Ok(())
    }

    async fn midnight(&self, ticket: &Ticket) -> Result<()> {
        self.set("23:58", super::SPEED).await?;
        let group = &self.demo.area_a.1;
        let path = format!("/api/admin/work-tickets/{}", ticket.ticket_id);
        let today = self.date.to_string();
        self.timeline
            .until("the day's end", || async {
                let data = self.admin.get(&path).await?;
                let days = data["daily_tickets"].as_array().cloned().unwrap_or_default();
                let over =
                    days.iter().any(|day| day["date"] == *today && day["status"] == "EXPIRED");
                let empty = self.sandbox.permissions(group).await?.is_empty();
                Ok((over && empty).then_some(()))
            })
            .await?;
        self.tell("The day is over: its grants are revoked, and the door was seen without them")
            .await
    }

    async fn audit(&self) -> Result<()> {
        let path = format!("/api/admin/audit-logs/verify?site_id={}", self.demo.site_id);
        let proof = self.admin.get(&path).await?;
        if proof["intact"] != true {
            bail!("the audit log does not verify: {proof}");
        }
        self.tell(&format!("Audit log verified: {} entries in an unbroken chain", proof["entries"]))
            .await
    }
}
