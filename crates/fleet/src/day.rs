//! One day on the demo's site, step by step. Each step is waited for; none is assumed.

mod controller;
mod doors;
mod evening;
mod learning;
mod morning;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime};
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::api::{items, text};
use crate::sandbox::{Person, Sandbox};
use crate::seed::Demo;
use crate::timeline::Timeline;
use crate::{PASSWORD, Urls};

/// Site seconds a real second, while people act.
const SPEED: f64 = 30.0;

/// Who is who on the demo's day, by their place on the roster (from 0). All work for the first contractor.
mod cast {
    /// Train in time, pass every check, go in.
    pub(super) const GOOD: [usize; 4] = [0, 1, 2, 3];
    /// Bound, trains, and never agreed to be written to.
    pub(super) const SILENT: usize = 4;
    /// Never bound a phone.
    pub(super) const UNBOUND: usize = 5;
    /// Lets somebody else look into the camera.
    pub(super) const CHEAT: usize = 6;
    /// Finishes while the door is out of reach.
    pub(super) const UNLUCKY: usize = 7;
    /// On no ticket.
    pub(super) const STRANGER: usize = 8;
}

/// Everything a day needs at hand.
struct Day<'a> {
    urls: &'a Urls,
    demo: &'a Demo,
    timeline: &'a Timeline,
    sandbox: Sandbox,
    admin: Admin,
    contractor: Admin,
    roster: Vec<Person>,
    date: NaiveDate,
    offset: FixedOffset,
}

/// Plays the day after the last one that has a ticket, or today, and tells it. Fails on the first step that
/// is not seen.
pub async fn play(urls: &Urls, demo: &Demo, timeline: &Timeline) -> Result<()> {
    let day = Day::prepare(urls, demo, timeline).await?;
    day.set("04:50", SPEED).await?;
    day.tell(&format!("A day on {}: {}", "示例工地", day.date)).await?;
    let ticket = day.morning().await?;
    day.learning(&ticket).await?;
    day.doors(&ticket).await?;
    day.controller(&ticket).await?;
    day.evening(&ticket).await?;
    day.resume().await
}

impl<'a> Day<'a> {
    async fn prepare(urls: &'a Urls, demo: &'a Demo, timeline: &'a Timeline) -> Result<Self> {
        let sandbox = Sandbox::new(&urls.sandbox)?;
        sandbox.heal().await?;
        for (_, group) in [&demo.area_a, &demo.area_b] {
            sandbox.door(group, "ok").await?;
        }
        let admin = Admin::sign_in(&urls.gateway, "admin", PASSWORD).await?;
        let contractor = Admin::sign_in(&urls.gateway, "contractor", PASSWORD).await?;
        let now = sandbox.now().await?;
        let offset = FixedOffset::east_opt(8 * 3600).context("a valid offset")?;
        let tickets =
            admin.all(&format!("/api/admin/work-tickets?site_id={}", demo.site_id)).await?;
        let last = tickets
            .iter()
            .filter_map(|ticket| text(ticket, "end_date").parse::<NaiveDate>().ok())
            .max();
        let today = now.with_timezone(&offset).date_naive();
        // A day whose start has passed by 04:50 already counts as played.
        let free = if now.with_timezone(&offset).time() > at("04:30") {
            today + Days::new(1)
        } else {
            today
        };
        let date = last.map_or(free, |last| free.max(last + Days::new(1)));
        let roster = sandbox.roster().await?;
        if roster.len() <= cast::STRANGER {
            bail!("the roster has only {} people", roster.len());
        }
        Ok(Self { urls, demo, timeline, sandbox, admin, contractor, roster, date, offset })
    }

    /// Sets site time to a time of this day.
    async fn set(&self, time: &str, speed: f64) -> Result<()> {
        self.sandbox.set_clock(self.instant(time)?, speed).await
    }

    fn instant(&self, time: &str) -> Result<DateTime<FixedOffset>> {
        self.date
            .and_time(at(time))
            .and_local_timezone(self.offset)
            .single()
            .context("a time of the day")
    }

    /// Tells a step at the site's time.
    async fn tell(&self, what: &str) -> Result<()> {
        let now = self.sandbox.now().await?.with_timezone(&self.offset);
        self.timeline.tell(now, what).await;
        Ok(())
    }

    /// Lets site time run for some of its seconds.
    async fn wait(&self, site_seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(site_seconds / SPEED)).await;
    }

    /// Back to a clock that runs as clocks do, from where the day ended.
    async fn resume(&self) -> Result<()> {
        self.sandbox.set_clock(self.sandbox.now().await?, 1.0).await
    }

    /// Sitepass's id of somebody on the roster.
    async fn worker_id(&self, index: usize) -> Result<String> {
        let body = json!({ "site_id": self.demo.site_id, "keyword": self.roster[index].name });
        let found = items(&self.admin.post("/api/admin/workers/search", &body).await?);
        let [worker] = found.as_slice() else {
            bail!("{} workers answer to one name", found.len())
        };
        Ok(text(worker, "worker_id"))
    }

    /// Asks why somebody would be refused, and tells what mends it.
    async fn explain(&self, worker_id: &str, area_id: &str, at: &str) -> Result<Value> {
        let at: String = url::form_urlencoded::byte_serialize(at.as_bytes()).collect();
        let site = &self.demo.site_id;
        let query = format!("site_id={site}&worker_id={worker_id}&area_id={area_id}&at={at}");
        self.admin.get(&format!("/api/admin/explain?{query}")).await
    }
}

fn at(time: &str) -> NaiveTime {
    NaiveTime::parse_from_str(time, "%H:%M").unwrap_or_default()
}
