use chrono::NaiveTime;
use proto::directory::v1 as pb;
use service::Fields;
use types::parse_time;

use super::clearable;
use crate::domain::{Change, Settings};

const MAX_WECHAT: usize = 64;
const MAX_PROJECT: usize = 64;

/// Of the settings, what is given; 0 and empty are not.
pub(super) fn change(fields: &mut Fields, given: &pb::SiteSettings) -> Change {
    let seconds = Settings::LONGEST_CHECK_SECONDS;
    let minutes = Settings::LONGEST_LEAD_MINUTES;
    let retention = Settings::MOST_RETENTION_DAYS;
    let least = Settings::LEAST_RETENTION_DAYS;
    if (1..least).contains(&given.retention_days) {
        fields.problem("settings.retention_days", format!("is below {least}"));
    }
    let wechat = |fields: &mut Fields, field: &str, text: Option<&str>| {
        clearable(fields, &format!("settings.{field}"), text, MAX_WECHAT)
    };
    let project = given.realname_project.as_deref();
    Change {
        access_start: time(fields, "access_start_time", &given.access_start_time),
        access_end: match given.access_end_time.as_str() {
            "24:00" => Some(NaiveTime::MIN),
            text => time(fields, "access_end_time", text),
        },
        training_deadline: time(fields, "training_deadline_time", &given.training_deadline_time),
        max_span_days: number(
            fields,
            "max_span_days",
            given.max_span_days,
            Settings::MAX_SPAN_DAYS,
        ),
        video_rule: fields.parse_optional("settings.video_rule", &given.video_rule),
        check_min_seconds: number(fields, "check_min_seconds", given.check_min_seconds, seconds),
        check_max_seconds: number(fields, "check_max_seconds", given.check_max_seconds, seconds),
        check_answer_seconds: number(
            fields,
            "check_answer_seconds",
            given.check_answer_seconds,
            seconds,
        ),
        publish_now: given.publish_now,
        daily_reminder: given.daily_reminder,
        daily_reminder_time: time(fields, "daily_reminder_time", &given.daily_reminder_time),
        deadline_soon_minutes: number(
            fields,
            "deadline_soon_minutes",
            given.deadline_soon_minutes,
            minutes,
        ),
        night_deadline_minutes: number(
            fields,
            "night_deadline_minutes",
            given.night_deadline_minutes,
            minutes,
        ),
        late_deadline_minutes: number(
            fields,
            "late_deadline_minutes",
            given.late_deadline_minutes,
            minutes,
        ),
        check_at_least_once: given.check_at_least_once,
        check_mode: fields.parse_optional("settings.check_mode", &given.check_mode),
        retention_days: number(fields, "retention_days", given.retention_days, retention),
        fallback_ladder: (!given.fallback_ladder.is_empty())
            .then(|| fields.parse_list("settings.fallback_ladder", &given.fallback_ladder)),
        bind_id_last_six: given.bind_id_last_six,
        wechat_appid: wechat(fields, "wechat_appid", given.wechat_appid.as_deref()),
        wechat_ticket_published: wechat(
            fields,
            "wechat_template_ticket_published",
            given.wechat_template_ticket_published.as_deref(),
        ),
        wechat_daily_reminder: wechat(
            fields,
            "wechat_template_daily_reminder",
            given.wechat_template_daily_reminder.as_deref(),
        ),
        wechat_deadline_soon: wechat(
            fields,
            "wechat_template_deadline_soon",
            given.wechat_template_deadline_soon.as_deref(),
        ),
        realname_project: clearable(fields, "settings.realname_project", project, MAX_PROJECT),
    }
}

fn time(fields: &mut Fields, field: &str, text: &str) -> Option<NaiveTime> {
    if text.is_empty() {
        return None;
    }
    parse_time(text)
        .map_err(|problem| fields.problem(&format!("settings.{field}"), problem.to_string()))
        .ok()
}

/// 0 is not given.
fn number(fields: &mut Fields, field: &str, given: u32, most: u32) -> Option<u32> {
    fields.check(given <= most, &format!("settings.{field}"), &format!("is above {most}"));
    (given != 0).then_some(given)
}
