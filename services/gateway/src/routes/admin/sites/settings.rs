use proto::directory::v1 as directory;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::request::TimeOfDay;

/// What is absent takes the system's default in a new site, and stays as it is in one that is changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSettings {
    access_start_time: Option<TimeOfDay>,
    /// At or before the start: on the next day.
    access_end_time: Option<TimeOfDay>,
    training_deadline_time: Option<TimeOfDay>,
    #[schema(minimum = 1, maximum = 366)]
    max_span_days: Option<u32>,
    /// ALL or ANY.
    video_rule: Option<String>,
    #[schema(minimum = 1, maximum = 3600)]
    check_min_seconds: Option<u32>,
    #[schema(minimum = 1, maximum = 3600)]
    check_max_seconds: Option<u32>,
    #[schema(minimum = 1, maximum = 3600)]
    check_answer_seconds: Option<u32>,
    /// Whether a ticket that is published is told of at once.
    publish_now: Option<bool>,
    daily_reminder: Option<bool>,
    daily_reminder_time: Option<TimeOfDay>,
    /// How long before the deadline the unfinished are told.
    #[schema(minimum = 1, maximum = 1440)]
    deadline_soon_minutes: Option<u32>,
    /// A night window's deadline lies this long before its start.
    #[schema(minimum = 1, maximum = 1440)]
    night_deadline_minutes: Option<u32>,
    /// What is published late for the same day leaves at least this long.
    #[schema(minimum = 1, maximum = 1440)]
    late_deadline_minutes: Option<u32>,
    /// A check in every video, however short.
    check_at_least_once: Option<bool>,
    /// PHOTO or LIVENESS.
    check_mode: Option<String>,
    /// How long audit, training records and passages are kept: two years at least.
    #[schema(minimum = 731, maximum = 36525)]
    retention_days: Option<u32>,
    /// WECHAT, SMS and FOREMAN in the order they are tried; each once at most.
    #[schema(min_items = 1, max_items = 3)]
    fallback_ladder: Option<Vec<String>>,
    /// Workers bind with the last six of their identity number.
    bind_id_last_six: Option<bool>,
    /// Of the site's own mini-program; empty: the installation's.
    #[schema(max_length = 64)]
    wechat_appid: Option<String>,
    #[schema(max_length = 64)]
    wechat_template_ticket_published: Option<String>,
    #[schema(max_length = 64)]
    wechat_template_daily_reminder: Option<String>,
    #[schema(max_length = 64)]
    wechat_template_deadline_soon: Option<String>,
    /// Under which code the real-name system knows the site (项目编码). May be empty while there is no other site.
    #[schema(max_length = 64)]
    realname_project: Option<String>,
}

impl From<NewSettings> for directory::SiteSettings {
    fn from(new: NewSettings) -> Self {
        let time = |time: Option<TimeOfDay>| time.map(|TimeOfDay(text)| text).unwrap_or_default();
        Self {
            access_start_time: time(new.access_start_time),
            access_end_time: time(new.access_end_time),
            training_deadline_time: time(new.training_deadline_time),
            max_span_days: new.max_span_days.unwrap_or_default(),
            video_rule: new.video_rule.unwrap_or_default(),
            check_min_seconds: new.check_min_seconds.unwrap_or_default(),
            check_max_seconds: new.check_max_seconds.unwrap_or_default(),
            check_answer_seconds: new.check_answer_seconds.unwrap_or_default(),
            publish_now: new.publish_now,
            daily_reminder: new.daily_reminder,
            daily_reminder_time: time(new.daily_reminder_time),
            deadline_soon_minutes: new.deadline_soon_minutes.unwrap_or_default(),
            night_deadline_minutes: new.night_deadline_minutes.unwrap_or_default(),
            late_deadline_minutes: new.late_deadline_minutes.unwrap_or_default(),
            check_at_least_once: new.check_at_least_once,
            check_mode: new.check_mode.unwrap_or_default(),
            retention_days: new.retention_days.unwrap_or_default(),
            fallback_ladder: new.fallback_ladder.unwrap_or_default(),
            bind_id_last_six: new.bind_id_last_six,
            wechat_appid: new.wechat_appid,
            wechat_template_ticket_published: new.wechat_template_ticket_published,
            wechat_template_daily_reminder: new.wechat_template_daily_reminder,
            wechat_template_deadline_soon: new.wechat_template_deadline_soon,
            realname_project: new.realname_project,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(super) struct Settings {
    access_start_time: String,
    access_end_time: String,
    training_deadline_time: String,
    max_span_days: u32,
    /// ALL or ANY.
    video_rule: String,
    check_min_seconds: u32,
    check_max_seconds: u32,
    check_answer_seconds: u32,
    publish_now: bool,
    daily_reminder: bool,
    daily_reminder_time: String,
    deadline_soon_minutes: u32,
    night_deadline_minutes: u32,
    late_deadline_minutes: u32,
    check_at_least_once: bool,
    /// PHOTO or LIVENESS.
    check_mode: String,
    retention_days: u32,
    fallback_ladder: Vec<String>,
    bind_id_last_six: bool,
    wechat_appid: String,
    wechat_template_ticket_published: String,
    wechat_template_daily_reminder: String,
    wechat_template_deadline_soon: String,
    realname_project: String,
}

impl From<directory::SiteSettings> for Settings {
    fn from(settings: directory::SiteSettings) -> Self {
        Self {
            publish_now: settings.publish_now(),
            daily_reminder: settings.daily_reminder(),
            check_at_least_once: settings.check_at_least_once(),
            bind_id_last_six: settings.bind_id_last_six(),
            access_start_time: settings.access_start_time,
            access_end_time: settings.access_end_time,
            training_deadline_time: settings.training_deadline_time,
            max_span_days: settings.max_span_days,
            video_rule: settings.video_rule,
            check_min_seconds: settings.check_min_seconds,
            check_max_seconds: settings.check_max_seconds,
            check_answer_seconds: settings.check_answer_seconds,
            daily_reminder_time: settings.daily_reminder_time,
            deadline_soon_minutes: settings.deadline_soon_minutes,
            night_deadline_minutes: settings.night_deadline_minutes,
            late_deadline_minutes: settings.late_deadline_minutes,
            check_mode: settings.check_mode,
            retention_days: settings.retention_days,
            fallback_ladder: settings.fallback_ladder,
            wechat_appid: settings.wechat_appid.unwrap_or_default(),
            wechat_template_ticket_published: settings
                .wechat_template_ticket_published
                .unwrap_or_default(),
            wechat_template_daily_reminder: settings
                .wechat_template_daily_reminder
                .unwrap_or_default(),
            wechat_template_deadline_soon: settings
                .wechat_template_deadline_soon
                .unwrap_or_default(),
            realname_project: settings.realname_project.unwrap_or_default(),
        }
    }
}
