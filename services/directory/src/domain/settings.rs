use std::str::FromStr;

use chrono::NaiveTime;
use types::{FieldProblem, TimeWindow};

/// What a new ticket, a new training and the planner of notices copy from their site.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(crate) struct Settings {
    pub access: TimeWindow,
    pub training_deadline: NaiveTime,
    pub max_span_days: u32,
    pub video_rule: VideoRule,
    /// Counted seconds between random checks, at least and at most.
    pub check_seconds: (u32, u32),
    pub check_answer_seconds: u32,
    pub publish_now: bool,
    /// Whether there is one, and when.
    pub daily_reminder: bool,
    pub daily_reminder_time: NaiveTime,
    /// How long before the deadline the unfinished are told.
    pub deadline_soon_minutes: u32,
    /// A night window's deadline lies this long before its start.
    pub night_deadline_minutes: u32,
    /// What is published late for the same day leaves at least this long.
    pub late_deadline_minutes: u32,
    /// A check in every video, however short.
    pub check_at_least_once: bool,
    pub check_mode: CheckMode,
    pub retention_days: u32,
    /// Who is tried in which order; each at most once, and at least one.
    pub fallback_ladder: Vec<Rung>,
    pub bind_id_last_six: bool,
    pub wechat: Wechat,
    /// Under which code the real-name system knows the site; may be empty.
    pub realname_project: String,
}

/// The site's own mini-program and its templates; empty where it uses the installation's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wechat {
    pub appid: String,
    pub ticket_published: String,
    pub daily_reminder: String,
    pub deadline_soon: String,
}

impl Settings {
    pub(crate) const MAX_SPAN_DAYS: u32 = 366;
    pub(crate) const LONGEST_CHECK_SECONDS: u32 = 3600;
    pub(crate) const LONGEST_LEAD_MINUTES: u32 = 1440;
    /// Two years, one of them a leap year: less is not allowed.
    pub(crate) const LEAST_RETENTION_DAYS: u32 = 731;
    pub(crate) const MOST_RETENTION_DAYS: u32 = 36_525;

    /// These settings with what a change says, or every field of it that does not go with the others.
    pub(crate) fn changed(&self, change: Change) -> Result<Self, Vec<FieldProblem>> {
        let (access, wechat) = (self.access, &self.wechat);
        let settings = Self {
            access: TimeWindow {
                start: change.access_start.unwrap_or(access.start),
                end: change.access_end.unwrap_or(access.end),
            },
            training_deadline: change.training_deadline.unwrap_or(self.training_deadline),
            max_span_days: change.max_span_days.unwrap_or(self.max_span_days),
            video_rule: change.video_rule.unwrap_or(self.video_rule),
            check_seconds: (
                change.check_min_seconds.unwrap_or(self.check_seconds.0),
                change.check_max_seconds.unwrap_or(self.check_seconds.1),
            ),
            check_answer_seconds: change.check_answer_seconds.unwrap_or(self.check_answer_seconds),
            publish_now: change.publish_now.unwrap_or(self.publish_now),
            daily_reminder: change.daily_reminder.unwrap_or(self.daily_reminder),
            daily_reminder_time: change.daily_reminder_time.unwrap_or(self.daily_reminder_time),
            deadline_soon_minutes: change
                .deadline_soon_minutes
                .unwrap_or(self.deadline_soon_minutes),
            night_deadline_minutes: change
                .night_deadline_minutes
                .unwrap_or(self.night_deadline_minutes),
            late_deadline_minutes: change
                .late_deadline_minutes
                .unwrap_or(self.late_deadline_minutes),
            check_at_least_once: change.check_at_least_once.unwrap_or(self.check_at_least_once),
            check_mode: change.check_mode.unwrap_or(self.check_mode),
            retention_days: change.retention_days.unwrap_or(self.retention_days),
            fallback_ladder: change.fallback_ladder.unwrap_or_else(|| self.fallback_ladder.clone()),
            bind_id_last_six: change.bind_id_last_six.unwrap_or(self.bind_id_last_six),
            wechat: Wechat {
                appid: change.wechat_appid.unwrap_or_else(|| wechat.appid.clone()),
                ticket_published: change
                    .wechat_ticket_published
                    .unwrap_or_else(|| wechat.ticket_published.clone()),
                daily_reminder: change
                    .wechat_daily_reminder
                    .unwrap_or_else(|| wechat.daily_reminder.clone()),
                deadline_soon: change
                    .wechat_deadline_soon
                    .unwrap_or_else(|| wechat.deadline_soon.clone()),
            },
            realname_project: change
                .realname_project
                .unwrap_or_else(|| self.realname_project.clone()),
        };
        let problems = settings.problems();
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    fn problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        if self.check_seconds.0 > self.check_seconds.1 {
            let field = "settings.check_max_seconds";
            problems.push(FieldProblem::new(field, "is below check_min_seconds"));
        }
        let ladder = &self.fallback_ladder;
        let twice = |(index, rung): (usize, &Rung)| ladder[..index].contains(rung);
        if ladder.iter().enumerate().any(twice) {
            problems.push(FieldProblem::new("settings.fallback_ladder", "names one twice"));
        }
        problems
    }
}

impl Default for Settings {
    fn default() -> Self {
        let time =
            |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or(NaiveTime::MIN);
        Self {
            access: TimeWindow { start: time(6, 0), end: time(20, 0) },
            training_deadline: time(7, 30),
            max_span_days: 31,
            video_rule: VideoRule::All,
            check_seconds: (180, 420),
            check_answer_seconds: 60,
            publish_now: true,
            daily_reminder: true,
            daily_reminder_time: time(5, 30),
            deadline_soon_minutes: 120,
            night_deadline_minutes: 30,
            late_deadline_minutes: 90,
            check_at_least_once: true,
            check_mode: CheckMode::Photo,
            retention_days: Self::LEAST_RETENTION_DAYS,
            fallback_ladder: vec![Rung::Wechat, Rung::Sms, Rung::Foreman],
            bind_id_last_six: false,
            wechat: Wechat::default(),
            realname_project: String::new(),
        }
    }
}

/// What of the settings is to be another; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub access_start: Option<NaiveTime>,
    pub access_end: Option<NaiveTime>,
    pub training_deadline: Option<NaiveTime>,
    pub max_span_days: Option<u32>,
    pub video_rule: Option<VideoRule>,
    pub check_min_seconds: Option<u32>,
    pub check_max_seconds: Option<u32>,
    pub check_answer_seconds: Option<u32>,
    pub publish_now: Option<bool>,
    pub daily_reminder: Option<bool>,
    pub daily_reminder_time: Option<NaiveTime>,
    pub deadline_soon_minutes: Option<u32>,
    pub night_deadline_minutes: Option<u32>,
    pub late_deadline_minutes: Option<u32>,
    pub check_at_least_once: Option<bool>,
    pub check_mode: Option<CheckMode>,
    pub retention_days: Option<u32>,
    pub fallback_ladder: Option<Vec<Rung>>,
    pub bind_id_last_six: Option<bool>,
    pub wechat_appid: Option<String>,
    pub wechat_ticket_published: Option<String>,
    pub wechat_daily_reminder: Option<String>,
    pub wechat_deadline_soon: Option<String>,
    pub realname_project: Option<String>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $problem:literal, $($(#[$variant_doc:meta])* $variant:ident $word:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($problem),
                }
            }
        }
    };
}

words! {
    /// Which videos make a day's training complete.
    VideoRule, "is neither ALL nor ANY", All "ALL", Any "ANY"
}

words! {
    /// How a random check looks at who learns.
    CheckMode, "is neither PHOTO nor LIVENESS",
    /// A camera photo compared with the one there is.
    Photo "PHOTO",
    Liveness "LIVENESS"
}

words! {
    /// One way to reach a worker.
    Rung, "is none of WECHAT, SMS and FOREMAN",
    Wechat "WECHAT",
    Sms "SMS",
    /// On the foreman's list, who tells them.
    Foreman "FOREMAN"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_asks_for_nothing_gets_the_usual_day() {
        let settings = Settings::default();
        assert_eq!(settings.access.to_string(), "06:00–20:00");
        assert_eq!(types::format_time(settings.training_deadline), "07:30");
        assert_eq!((settings.max_span_days, settings.video_rule), (31, VideoRule::All));
        assert_eq!((settings.check_seconds, settings.check_answer_seconds), ((180, 420), 60));
        assert_eq!(types::format_time(settings.daily_reminder_time), "05:30");
        assert!(settings.publish_now && settings.daily_reminder && settings.check_at_least_once);
        assert_eq!((settings.deadline_soon_minutes, settings.late_deadline_minutes), (120, 90));
        assert_eq!(settings.fallback_ladder, [Rung::Wechat, Rung::Sms, Rung::Foreman]);
        assert_eq!((settings.check_mode, settings.retention_days), (CheckMode::Photo, 731));
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let usual = Settings::default();
        assert_eq!(usual.changed(Change::default()), Ok(usual.clone()));
        let change = Change { daily_reminder: Some(false), ..Change::default() };
        let quiet = usual.changed(change).unwrap();
        assert_eq!(quiet, Settings { daily_reminder: false, ..usual });
    }

    #[test]
    fn fields_that_do_not_go_together_are_named_all_at_once() {
        let change = Change {
            check_min_seconds: Some(500),
            fallback_ladder: Some(vec![Rung::Sms, Rung::Wechat, Rung::Sms]),
            ..Change::default()
        };
        let problems = Settings::default().changed(change).unwrap_err();
        let named: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(named, ["settings.check_max_seconds", "settings.fallback_ladder"]);
    }
}
