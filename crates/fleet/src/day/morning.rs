use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use chrono::Days;
use serde_json::json;

use super::{Day, cast};
use crate::api::{items, text};
use crate::worker::Worker;

/// What the day's work is about.
pub(super) struct Ticket {
    pub(super) ticket_id: String,
    pub(super) worker_ids: BTreeMap<usize, String>,
}

impl Day<'_> {
    /// Phones are bound, the ticket is published, the notices go out.
    pub(super) async fn morning(&self) -> Result<Ticket> {
        let bound = self.bind().await?;
        self.tell(&format!("{bound} workers have bound their phones; one has not")).await?;

        let on_ticket: Vec<usize> = cast::GOOD
            .into_iter()
            .chain([cast::SILENT, cast::UNBOUND, cast::CHEAT, cast::UNLUCKY])
            .collect();
        let mut worker_ids = BTreeMap::new();
        for index in on_ticket.iter().copied().chain([cast::STRANGER]) {
            worker_ids.insert(index, self.worker_id(index).await?);
        }
        let listed: Vec<&String> = on_ticket.iter().map(|index| &worker_ids[index]).collect();
        let tomorrow = self.date + Days::new(1);
        let body = json!({
            "title": "1#楼钢筋绑扎",
            "site_id": self.demo.site_id,
            "contractor_id": self.demo.contractor_id,
            "start_date": self.date,
            "end_date": tomorrow,
            "access_time_window": { "start": "06:00", "end": "20:00" },
            "training_deadline": "07:30",
            "area_ids": [self.demo.area_a.0],
            "worker_ids": listed,
            "video_ids": [self.demo.video_id],
            "notify_policy": { "publish_now": true, "daily_reminder": true },
            "remark": "",
        });
        let key = format!("demo-{}", self.date);
        let path = "/api/admin/work-tickets";
        let made = self
            .contractor
            .api()
            .post_once(path, &key, &body)
            .await?
            .ok()
            .context("make the ticket")?;
        let again = self.contractor.api().post_once(path, &key, &body).await?.ok()?;
        let ticket_id = text(&made, "ticket_id");
        if ticket_id.is_empty() || text(&again, "ticket_id") != ticket_id {
            bail!("the same idempotency key made another ticket");
        }
        self.tell(&format!(
            "Work ticket published: 1#楼钢筋绑扎, {} to {tomorrow}, area 1#楼A区, 06:00–20:00, {} workers",
            self.date,
            listed.len()
        ))
        .await?;

        let ticket = Ticket { ticket_id, worker_ids };
        self.notices(&ticket).await?;
        Ok(ticket)
    }

    /// Everybody but one binds; everybody but one of those agrees to one message.
    async fn bind(&self) -> Result<usize> {
        let mut bound = 0;
        for index in
            cast::GOOD.into_iter().chain([cast::SILENT, cast::CHEAT, cast::UNLUCKY, cast::STRANGER])
        {
            let mut worker = self.enter(index).await?;
            if !worker.bound {
                worker.bind(&self.urls.gateway).await?;
            }
            if index != cast::SILENT {
                worker.consent(&self.sandbox).await?;
            }
            bound += 1;
        }
        Ok(bound)
    }

    /// Somebody opens the mini-program.
    pub(super) async fn enter(&self, index: usize) -> Result<Worker> {
        Worker::enter(&self.urls.gateway, &self.roster[index], &format!("demo-worker-{index:02}"))
            .await
    }

    async fn notices(&self, ticket: &Ticket) -> Result<()> {
        let path = format!(
            "/api/admin/notifications?site_id={}&ticket_id={}&page_size=200",
            self.demo.site_id, ticket.ticket_id
        );
        // Everybody on the ticket; the stranger is not.
        let wanted = ticket.worker_ids.len() - 1;
        let notices = self
            .timeline
            .until("the notices", || async {
                let notices = items(&self.contractor.get(&path).await?);
                let open = ["QUEUED", "SENDING"];
                let done = notices
                    .iter()
                    .filter(|notice| !open.contains(&notice["status"].as_str().unwrap_or("")));
                Ok((done.count() == wanted).then_some(notices))
            })
            .await?;
        let of = |status: &str, reason: &str| {
            notices
                .iter()
                .filter(|notice| notice["status"] == status && text(notice, "reason") == reason)
                .count()
        };
        let (sent, unbound, unwilling) =
            (of("SENT", ""), of("SKIPPED", "NOT_BOUND"), of("SKIPPED", "NO_BALANCE"));
        if (sent, unbound, unwilling) != (wanted - 2, 1, 1) {
            bail!(
                "notices: {sent} sent, {unbound} not bound, {unwilling} without consent, of {wanted}"
            );
        }
        if self.sandbox.messages().await?.len() < sent {
            bail!("WeChat delivered fewer messages than were sent");
        }
        self.tell(&format!("Notices: {sent} sent, 1 worker unbound (未绑定), 1 without consent"))
            .await
    }
}
