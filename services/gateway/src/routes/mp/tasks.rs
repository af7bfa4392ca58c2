//! What a worker has to do today.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use proto::directory::v1::ListAreasRequest;
use proto::notification::v1::MarkTaskReadRequest;
use proto::ticket::v1::{ListWorkerTasksRequest, WorkerTask};
use proto::training::v1::CheckVideosRequest;
use serde::Serialize;
use types::SiteZone;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, Done, Enveloped, answer, instant};
use crate::call::{Call, Shared, ask, asked};
use crate::failure::Failure;
use crate::request::Id;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_tasks)).routes(routes!(mark_task_read))
}

#[derive(Serialize, ToSchema)]
struct Tasks {
    /// Today at the worker's site.
    date: String,
    tasks: Vec<Task>,
}

#[derive(Serialize, ToSchema)]
struct Task {
    daily_ticket_id: String,
    ticket_title: String,
    /// Yesterday's for a night shift that still runs.
    date: String,
    areas: Vec<TaskArea>,
    /// Site time, HH:MM.
    deadline: String,
    deadline_at: Option<DateTime<Utc>>,
    access_start_at: Option<DateTime<Utc>>,
    access_end_at: Option<DateTime<Utc>>,
    videos: Vec<TaskVideo>,
    /// ALL or ANY of the videos.
    video_rule: String,
    /// `NOT_STARTED`, `IN_LEARNING`, `WAITING_VERIFY`, COMPLETED or FAILED.
    training_status: String,
    authorized: bool,
}

#[derive(Serialize, ToSchema)]
struct TaskArea {
    area_id: String,
    name: String,
}

#[derive(Serialize, ToSchema)]
struct TaskVideo {
    video_id: String,
    title: String,
    duration_sec: u32,
}

/// The days the worker is named on now: today's, and last night's while its window runs.
#[utoipa::path(
    get,
    path = "/api/mp/tasks/today",
    tag = "mini-program",
    responses((status = 200, body = Enveloped<Tasks>))
)]
async fn list_tasks(call: Call) -> Answer<Tasks> {
    let worker_id = call.worker()?.to_string();
    let found = ask!(call.ticket.list_worker_tasks(ListWorkerTasksRequest { worker_id })).await?;
    let (areas, videos) =
        tokio::try_join!(areas(&call, &found.tasks), videos(&call, &found.tasks))?;
    let tasks = found.tasks.into_iter().filter_map(|task| shown(task, &areas, &videos));
    let tasks = tasks.collect();
    answer(Tasks { date: found.date, tasks })
}

fn shown(
    task: WorkerTask,
    areas: &HashMap<String, String>,
    videos: &HashMap<String, (String, u32)>,
) -> Option<Task> {
    let (ticket, day) = (task.ticket?, task.daily_ticket?);
    let progress = task.progress.unwrap_or_default();
    let deadline_at = instant(day.deadline_at);
    let zone = SiteZone::parse(&ticket.time_zone).ok();
    let deadline = match (deadline_at, zone) {
        (Some(at), Some(zone)) => types::format_time(zone.time_at(at)),
        _ => ticket.training_deadline_time,
    };
    let areas = ticket.area_ids.into_iter().map(|area_id| TaskArea {
        name: areas.get(&area_id).cloned().unwrap_or_default(),
        area_id,
    });
    let videos = ticket.video_ids.into_iter().map(|video_id| {
        let (title, duration_sec) = videos.get(&video_id).cloned().unwrap_or_default();
        TaskVideo { video_id, title, duration_sec }
    });
    Some(Task {
        daily_ticket_id: day.daily_ticket_id,
        ticket_title: ticket.title,
        date: day.date,
        areas: areas.collect(),
        deadline,
        deadline_at,
        access_start_at: instant(day.access_start_at),
        access_end_at: instant(day.access_end_at),
        videos: videos.collect(),
        video_rule: ticket.video_rule,
        training_status: progress.training_status,
        authorized: progress.authorized,
    })
}

/// Names of areas by id.
async fn areas(call: &Call, tasks: &[WorkerTask]) -> Result<HashMap<String, String>, Failure> {
    let tickets = tasks.iter().filter_map(|task| task.ticket.as_ref());
    area_names(call, tickets.map(|ticket| ticket.site_id.clone())).await
}

/// Names of the areas of these sites by id. A worker may see them on a task; the list of areas is not theirs to ask for.
pub(super) async fn area_names(
    call: &Call,
    sites: impl Iterator<Item = String>,
) -> Result<HashMap<String, String>, Failure> {
    let mut names = HashMap::new();
    for site_id in sites.collect::<BTreeSet<_>>() {
        let found = asked(|| {
            let message = ListAreasRequest { site_id: site_id.clone() };
            let (mut directory, request) = (call.directory(), call.as_gateway(message));
            async move { directory.list_areas(request).await }
        });
        names.extend(found.await?.areas.into_iter().map(|area| (area.area_id, area.name)));
    }
    Ok(names)
}

/// Titles and durations of videos by id.
async fn videos(
    call: &Call,
    tasks: &[WorkerTask],
) -> Result<HashMap<String, (String, u32)>, Failure> {
    let mut by_site: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ticket in tasks.iter().filter_map(|task| task.ticket.as_ref()) {
        let ids = by_site.entry(ticket.site_id.clone()).or_default();
        ids.extend(ticket.video_ids.iter().cloned());
    }
    let mut titles = HashMap::new();
    for (site_id, ids) in by_site {
        let found = asked(|| {
            let video_ids = ids.iter().cloned().collect();
            let message = CheckVideosRequest { site_id: site_id.clone(), video_ids };
            let (mut training, request) = (call.training(), call.as_gateway(message));
            async move { training.check_videos(request).await }
        });
        let videos = found.await?.videos.into_iter();
        titles.extend(videos.map(|video| (video.video_id, (video.title, video.duration_sec))));
    }
    Ok(titles)
}

/// The worker opened the task. Marking twice changes nothing.
#[utoipa::path(
    post,
    path = "/api/mp/tasks/{daily_ticket_id}/read",
    tag = "mini-program",
    params(("daily_ticket_id" = Uuid, Path)),
    responses((status = 200, body = Enveloped<Done>))
)]
async fn mark_task_read(call: Call, Id(daily_ticket_id): Id) -> Answer<Done> {
    let message = MarkTaskReadRequest { worker_id: call.worker()?.to_string(), daily_ticket_id };
    call.notification().mark_task_read(call.command(message)).await?;
    answer(Done {})
}
