use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde_json::Value;

use super::morning::Ticket;
use super::{Day, cast};
use crate::learn::{EVERY, train};
use crate::worker::Worker;

impl Day<'_> {
    /// The bound workers train; one cheats and is caught.
    pub(super) async fn learning(&self, ticket: &Ticket) -> Result<()> {
        self.set("05:50", super::SPEED).await?;
        let learners = cast::GOOD.into_iter().chain([cast::SILENT]);
        let results = try_join_all(learners.map(|index| self.learn(index))).await?;
        for (name, checks, authorized) in &results {
            let door = if *authorized { "the gate knows" } else { "the gate is being told" };
            self.tell(&format!(
                "{name} trained: face shown, {checks} random check(s) passed, {door}"
            ))
            .await?;
        }
        self.cheat().await?;
        self.proved(ticket, results.len()).await
    }

    /// One whole training: face, video with checks, finish.
    pub(super) async fn learn(&self, index: usize) -> Result<(String, u32, bool)> {
        let worker = self.enter(index).await?;
        let task = self.task(&worker).await?;
        let (checks, authorized) = train(&self.sandbox, &worker, &task, super::SPEED).await?;
        Ok((worker.person.name, checks, authorized))
    }

    async fn task(&self, worker: &Worker) -> Result<Value> {
        self.timeline
            .until("today's task on the phone", || async {
                let tasks = worker.tasks().await?;
                Ok(tasks.into_iter().find(|task| task["training_status"] != "COMPLETED"))
            })
            .await
    }

    /// Jumps to the end, tries to finish, then has somebody else answer the check.
    async fn cheat(&self) -> Result<()> {
        let worker = self.enter(cast::CHEAT).await?;
        let task = self.task(&worker).await?;
        let training = worker.start(&self.sandbox, &task).await?;
        worker.report(&training, 0, "PLAYING").await?.ok()?;
        worker.report(&training, training.duration_sec, "ENDED").await?;
        let refused = worker.finish(&training).await?;
        if !matches!(refused.message.as_str(), "TRAINING_INCOMPLETE" | "CHECK_REQUIRED") {
            bail!("a jump to the end was answered with {} {}", refused.code, refused.message);
        }
        let name = &worker.person.name;
        self.tell(&format!("{name} jumped to the end of the video: refused, {}", refused.message))
            .await?;

        let mut second = 0;
        worker.report(&training, 0, "PLAYING").await?;
        for _ in 0..60 {
            self.wait(f64::from(u32::try_from(EVERY)?)).await;
            second = (second + EVERY).min(training.duration_sec);
            let answer =
                worker.report(&training, second, "PLAYING").await?.ok().context("progress")?;
            let Some(check_id) = answer["check"]["check_id"].as_str() else { continue };
            let answer = worker.answer(&self.sandbox, &training, check_id, "fail").await?;
            if answer.message != "FACE_VERIFY_FAILED" {
                bail!("another face was answered with {} {}", answer.code, answer.message);
            }
            return self
                .tell(&format!(
                    "{name} let somebody else answer the random check: caught, session failed"
                ))
                .await;
        }
        bail!("no random check came")
    }

    /// The grants of everybody who trained are proved at the door.
    async fn proved(&self, ticket: &Ticket, wanted: usize) -> Result<()> {
        let group = &self.demo.area_a.1;
        self.timeline
            .until("grants proved at the door", || async {
                Ok((self.synced(ticket).await? == wanted).then_some(()))
            })
            .await?;
        let held = self.sandbox.permissions(group).await?.len();
        if held < wanted {
            bail!("the door holds {held} entries, {wanted} are shown as proved");
        }
        self.tell(&format!("{wanted} access grants proved: read back from the door of 1#楼A区"))
            .await
    }

    /// How many of the day's grants are shown as proved.
    pub(super) async fn synced(&self, ticket: &Ticket) -> Result<usize> {
        let path = format!("/api/admin/work-tickets/{}", ticket.ticket_id);
        let data = self.contractor.get(&path).await?;
        let today = self.date.to_string();
        let days = data["daily_tickets"].as_array().cloned().unwrap_or_default();
        let day = days
            .into_iter()
            .find(|day| day["date"] == *today)
            .context("no daily ticket for today")?;
        Ok(usize::try_from(day["access"]["synced"].as_u64().unwrap_or(0))?)
    }
}
