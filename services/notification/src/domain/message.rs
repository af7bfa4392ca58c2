use chrono::Datelike;

use super::Notice;

/// The longest value of a `thing` key, in characters.
const LONGEST_THING: usize = 20;

/// A notice as the provider's template wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where a tap on it leads.
    pub page: String,
    /// The template's keys, each with a value that fits its type and is never empty.
    pub values: Vec<(String, String)>,
}

/// Writes a notice down; `areas` are the names known of its areas.
pub fn render(notice: &Notice, areas: &[String]) -> Message {
    let content = &notice.content;
    let date = content.date;
    let todo = match content.video_count {
        0 => "请查看任务并按时进场".to_owned(),
        count => format!("请观看{count}个视频并完成人脸核验"),
    };
    let values = [
        ("thing1", thing(&content.title)),
        ("date2", format!("{}年{}月{}日", date.year(), date.month(), date.day())),
        ("thing3", thing(&areas.join("、"))),
        ("time4", notice.zone.time_at(content.deadline_at).format("%H:%M").to_string()),
        ("thing5", thing(&todo)),
    ];
    Message {
        page: format!("pages/task/index?daily_ticket_id={}", notice.day),
        values: values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// At most 20 characters without control characters; the 20th of a longer text is an ellipsis.
fn thing(text: &str) -> String {
    let clean = text.replace(char::is_control, " ");
    let clean = clean.trim();
    if clean.is_empty() {
        return "见任务详情".to_owned();
    }
    if clean.chars().count() <= LONGEST_THING {
        return clean.to_owned();
    }
    clean.chars().take(LONGEST_THING - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::super::notice::tests::queued;
    use super::{render, thing};

    fn values(message: &super::Message) -> Vec<&str> {
        message.values.iter().map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn a_notice_says_what_when_where_until_when_and_what_to_do() {
        let notice = queued();
        let message = render(&notice, &["A区".to_owned(), "B区".to_owned()]);
        assert_eq!(
            values(&message),
            ["三层模板安装", "2026年3月2日", "A区、B区", "07:30", "请观看2个视频并完成人脸核验"]
        );
        let keys: Vec<&str> = message.values.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["thing1", "date2", "thing3", "time4", "thing5"]);
        assert_eq!(message.page, format!("pages/task/index?daily_ticket_id={}", notice.day));
    }

    #[test]
    fn a_long_text_ends_with_an_ellipsis_as_its_twentieth_character() {
        let twenty = "一二三四五六七八九十一二三四五六七八九十";
        assert_eq!(thing(twenty), twenty);
        let cut = thing(&format!("{twenty}一"));
        assert_eq!(cut, "一二三四五六七八九十一二三四五六七八九…");
        assert_eq!(cut.chars().count(), 20);
    }

    #[test]
    fn no_value_is_empty_or_holds_a_line_break() {
        assert_eq!(thing(" 一\n二 "), "一 二");
        let mut notice = queued();
        notice.content.video_count = 0;
        let message = render(&notice, &[]);
        assert_eq!(values(&message)[2], "见任务详情");
        assert!(values(&message).iter().all(|value| (1..=20).contains(&value.chars().count())));
    }
}
