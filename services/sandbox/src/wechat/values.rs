//! What a template's values may be, by the kind in the key's name (`thing1`, `date2` …).

use chrono::{NaiveDate, NaiveTime};
use serde_json::{Map, Value};

use super::Errcode;

/// 47003 names the first key that is missing, empty or not of its kind.
pub(super) fn check(keys: &[&str], data: &Map<String, Value>) -> Result<(), Errcode> {
    for key in keys {
        let text = match data.get(*key).and_then(|entry| entry.get("value")) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        if text.is_empty() {
            // The misspelling is WeChat's own.
            return Err(Errcode::new(
                47003,
                format!("argument invalid! data.{key}.value is emtpy"),
            ));
        }
        if !fits(key.trim_end_matches(|digit: char| digit.is_ascii_digit()), &text) {
            return Err(Errcode::new(47003, format!("argument invalid! data.{key}.value invalid")));
        }
    }
    Ok(())
}

fn fits(kind: &str, text: &str) -> bool {
    let length = text.chars().count();
    if text.chars().any(char::is_control) {
        return false;
    }
    match kind {
        "thing" => length <= 20,
        "number" => length <= 32 && text.parse::<f64>().is_ok_and(f64::is_finite),
        "letter" => length <= 32 && text.chars().all(|letter| letter.is_ascii_alphabetic()),
        "symbol" => length <= 5 && !text.chars().any(char::is_alphanumeric),
        "character_string" => length <= 32 && text.is_ascii(),
        "time" => range(text, time),
        "date" => range(text, date),
        "amount" => amount(text),
        "phone_number" => {
            length <= 17
                && text.is_ascii()
                && !text.chars().any(|letter| letter.is_ascii_alphabetic())
        }
        "car_number" => length <= 8,
        "name" => length <= if text.is_ascii() { 20 } else { 10 },
        "phrase" => length <= 5 && text.chars().all(is_chinese),
        _ => false,
    }
}

fn is_chinese(letter: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&letter)
}

fn range(text: &str, one: fn(&str) -> bool) -> bool {
    let mut ends = text.split('~').map(str::trim);
    ends.clone().count() <= 2 && ends.all(one)
}

fn time(text: &str) -> bool {
    clock(text) || text.split_once(' ').is_some_and(|(day, hour)| calendar(day) && clock(hour))
}

fn date(text: &str) -> bool {
    calendar(text) || text.split_once(' ').is_some_and(|(day, hour)| calendar(day) && clock(hour))
}

fn clock(text: &str) -> bool {
    NaiveTime::parse_from_str(text, "%H:%M")
        .or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S"))
        .is_ok()
}

fn calendar(text: &str) -> bool {
    ["%Y年%m月%d日", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"]
        .iter()
        .any(|format| NaiveDate::parse_from_str(text, format).is_ok())
}

fn amount(text: &str) -> bool {
    let digits = text.trim_start_matches(['¥', '￥', '$']).trim_end_matches('元');
    let whole = digits.split_once('.').map_or(digits, |(whole, _)| whole);
    (1..=10).contains(&whole.len()) && digits.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_official_limits_hold_at_their_edges() {
        for (kind, good, bad) in [
            (
                "thing",
                "一二三四五六七八九十一二三四五六七八九十",
                "一二三四五六七八九十一二三四五六七八九十一",
            ),
            ("thing", "1#楼A区", "两\n行"),
            ("number", "12.5", "十二"),
            ("time", "15:01", "25:01"),
            ("time", "2026年3月2日 07:30", "2026年3月2日"),
            ("time", "06:00~20:00", "06:00~20:00~21:00"),
            ("date", "2026年3月2日", "2026年2月30日"),
            ("date", "2026-03-02~2026-03-04", "三月二日"),
            ("date", "2026/03/02 07:30", "2026/03/02 later"),
            ("phrase", "待培训", "to do"),
            ("phrase", "一二三四五", "一二三四五六"),
            ("name", "测试工人01", "一二三四五六七八九十一"),
            ("letter", "abc", "abc1"),
            ("symbol", "!?", "a!"),
            ("character_string", "A-01", "作业"),
            ("amount", "¥100.5元", "一百"),
            ("phone_number", "+86-19900000001", "call me"),
            ("car_number", "粤A12345", "粤A12345678"),
        ] {
            assert!(fits(kind, good), "{kind} {good}");
            assert!(!fits(kind, bad), "{kind} {bad}");
        }
        assert!(!fits("unheard_of", "x"));
    }

    #[test]
    fn the_refusal_names_the_key() {
        let data = json!({"thing1": {"value": "钢筋绑扎"}, "time4": {"value": "soon"}});
        let text = |keys: &[&str]| check(keys, data.as_object().unwrap()).unwrap_err().text;
        assert_eq!(text(&["thing1", "thing3"]), "argument invalid! data.thing3.value is emtpy");
        assert_eq!(text(&["thing1", "time4"]), "argument invalid! data.time4.value invalid");
    }
}
