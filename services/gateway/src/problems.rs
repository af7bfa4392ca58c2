//! Every bad field of what a client sent, by the same schema that the API's document shows.

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};
use types::FieldProblem;
use uuid::Uuid;

/// Fields that are read as a span wherever both stand.
const SPANS: &[(&str, &str)] =
    &[("start_date", "end_date"), ("date_from", "date_to"), ("from", "to")];

/// How JSON spells the one character that PostgreSQL cannot keep in a text.
pub(crate) const NUL: &str = "\\u0000";

/// A JSON schema and the ones it refers to by name.
#[derive(Debug)]
pub(crate) struct Schema {
    root: Value,
    named: Map<String, Value>,
}

impl Schema {
    pub(crate) fn new(root: Value, named: Map<String, Value>) -> Self {
        Self { root, named }
    }

    /// What is wrong with `value`, each with its path: `access_time_window.start`, `area_ids[2]`.
    pub(crate) fn problems(&self, value: &Value) -> Vec<FieldProblem> {
        let mut found = Found { named: &self.named, problems: Vec::new() };
        found.check("", value, &self.root);
        found.problems
    }
}

struct Found<'a> {
    named: &'a Map<String, Value>,
    problems: Vec<FieldProblem>,
}

impl Found<'_> {
    fn problem(&mut self, path: &str, problem: impl Into<String>) {
        let path = if path.is_empty() { "body" } else { path };
        self.problems.push(FieldProblem::new(path, problem));
    }

    fn check(&mut self, path: &str, value: &Value, schema: &Value) {
        let named = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        if let Some(schema) = named.and_then(|name| self.named.get(name)) {
            return self.check(path, value, schema);
        }
        if let Some(forms) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
            return self.check_forms(path, value, forms);
        }
        let allowed = types(schema);
        if allowed.is_empty() && value.to_string().contains(NUL) {
            return self.problem(path, "holds U+0000");
        }
        if allowed.is_empty() || (value.is_null() && allowed.contains(&"null")) {
            return;
        }
        if !allowed.iter().any(|name| is(value, name)) {
            let wanted = allowed.iter().copied().find(|name| *name != "null").unwrap_or("null");
            return self.problem(path, format!("is not {}", spoken(wanted)));
        }
        match value {
            Value::Object(members) => self.check_members(path, members, schema),
            Value::Array(items) => self.check_items(path, items, schema),
            Value::String(text) => self.check_text(path, text, schema),
            Value::Number(number) => self.check_number(path, number.as_f64(), schema),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Of several forms the one that is not null, and where there are more of them, any.
    fn check_forms(&mut self, path: &str, value: &Value, forms: &[Value]) {
        let real: Vec<&Value> = forms.iter().filter(|form| types(form) != ["null"]).collect();
        if value.is_null() && real.len() < forms.len() {
            return;
        }
        if let [form] = real[..] {
            return self.check(path, value, form);
        }
        let fits = real.iter().any(|form| {
            let mut found = Found { named: self.named, problems: Vec::new() };
            found.check(path, value, form);
            found.problems.is_empty()
        });
        if !fits {
            self.problem(path, "has none of the allowed forms");
        }
    }

    fn check_members(&mut self, path: &str, members: &Map<String, Value>, schema: &Value) {
        let Some(known) = schema["properties"].as_object() else { return };
        let within = |name: &str| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        };
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        for name in required.iter().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.problem(&within(name), "is required");
            }
        }
        for (name, value) in members {
            match known.get(name) {
                Some(schema) => self.check(&within(name), value, schema),
                None => self.problem(&within(name), "is unknown"),
            }
        }
        for (start, end) in SPANS {
            let dates = (members.get(*start).and_then(date), members.get(*end).and_then(date));
            if let (Some(first), Some(last)) = dates
                && last < first
            {
                self.problem(&within(end), format!("before {start}"));
            }
        }
    }

    fn check_items(&mut self, path: &str, items: &[Value], schema: &Value) {
        if items.is_empty() && schema["minItems"].as_u64().is_some_and(|least| least > 0) {
            self.problem(path, "is empty");
        }
        for (index, item) in items.iter().enumerate() {
            self.check(&format!("{path}[{index}]"), item, &schema["items"]);
        }
    }

    fn check_text(&mut self, path: &str, text: &str, schema: &Value) {
        if text.contains('\0') {
            return self.problem(path, "holds U+0000");
        }
        if let Some(allowed) = schema["enum"].as_array() {
            let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
            if !allowed.contains(&text) {
                self.problem(path, format!("is none of {}", allowed.join(", ")));
            }
            return;
        }
        if text.trim().is_empty() && schema["minLength"].as_u64().is_some_and(|least| least > 0) {
            return self.problem(path, "is required");
        }
        if schema["maxLength"].as_u64().is_some_and(|most| text.chars().count() as u64 > most) {
            self.problem(path, format!("is longer than {} characters", schema["maxLength"]));
        }
        match schema["format"].as_str() {
            Some("uuid") if text.len() != 36 || Uuid::try_parse(text).is_err() => {
                self.problem(path, "not a UUID");
            }
            // The parser also takes years of more digits and a sign.
            Some("date") if text.len() != 10 || text.parse::<NaiveDate>().is_err() => {
                self.problem(path, "not a date YYYY-MM-DD");
            }
            Some("date-time") if DateTime::parse_from_rfc3339(text).is_err() => {
                self.problem(path, "not an RFC 3339 instant");
            }
            Some("HH:MM") if text != "24:00" && types::parse_time(text).is_err() => {
                self.problem(path, "not a time of day HH:MM");
            }
            _ => {}
        }
    }

    fn check_number(&mut self, path: &str, number: Option<f64>, schema: &Value) {
        let Some(number) = number else { return };
        if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
            self.problem(path, format!("is less than {least}"));
        }
        // How utoipa writes a u32.
        let widest = (schema["format"] == "int32").then(|| f64::from(u32::MAX));
        let most = schema["maximum"].as_f64().or(widest);
        if let Some(most) = most.filter(|most| number > *most) {
            self.problem(path, format!("is more than {most}"));
        }
    }
}

fn date(value: &Value) -> Option<NaiveDate> {
    value.as_str()?.parse().ok()
}

/// The JSON types a schema allows; none means any.
pub(crate) fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => false,
    }
}

fn spoken(name: &str) -> &str {
    match name {
        "object" => "an object",
        "array" => "a list",
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(value: &Value) -> Vec<(String, String)> {
        let root = json!({
            "type": "object",
            "required": ["title", "window"],
            "properties": {
                "title": {"type": "string", "minLength": 1, "maxLength": 5},
                "start_date": {"type": "string", "format": "date"},
                "end_date": {"type": "string", "format": "date"},
                "window": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Window"}]},
                "area_ids": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "uuid"}},
                "count": {"type": ["integer", "null"], "format": "int32", "minimum": 1},
                "rule": {"type": "string", "enum": ["ALL", "ANY"]},
            },
        });
        let window = json!({
            "type": "object",
            "required": ["start"],
            "properties": {"start": {"type": "string", "format": "HH:MM"}},
        });
        let schema = Schema::new(root, Map::from_iter([("Window".to_owned(), window)]));
        let problems = schema.problems(value).into_iter();
        problems.map(|FieldProblem { field, problem }| (field, problem)).collect()
    }

    #[test]
    fn every_bad_field_is_named_with_its_path() {
        let problems = named(&json!({
            "title": 7, "start_date": "2026-01-12", "end_date": "2026-01-10", "window": {"start": "6:00", "x": 1},
            "area_ids": ["no"], "count": 0, "rule": "SOME", "colour": "red",
        }));
        let fields: Vec<&str> = problems.iter().map(|(field, _)| field.as_str()).collect();
        let mut expected = [
            "title",
            "end_date",
            "window.start",
            "window.x",
            "area_ids[0]",
            "count",
            "rule",
            "colour",
        ];
        let mut fields = fields;
        fields.sort_unstable();
        expected.sort_unstable();
        assert_eq!(fields, expected);
        assert!(problems.contains(&("end_date".to_owned(), "before start_date".to_owned())));
        assert!(problems.contains(&("colour".to_owned(), "is unknown".to_owned())));
    }

    #[test]
    fn what_is_missing_or_empty_is_required() {
        let problems = named(&json!({"title": " ", "area_ids": []}));
        let expected =
            [("window", "is required"), ("area_ids", "is empty"), ("title", "is required")];
        assert_eq!(
            problems,
            expected.map(|(field, problem)| (field.to_owned(), problem.to_owned()))
        );
    }

    #[test]
    fn a_date_has_four_two_and_two_digits() {
        for date in ["2026-02-30", "+262142-12-31", "-262143-01-01", "2026-1-2"] {
            let value = json!({"title": "作业", "window": {"start": "06:00"}, "start_date": date});
            let expected = ("start_date".to_owned(), "not a date YYYY-MM-DD".to_owned());
            assert_eq!(named(&value), [expected], "{date}");
        }
    }

    #[test]
    fn what_fits_has_no_problem() {
        let value =
            json!({"title": "作业", "window": {"start": "06:00"}, "count": null, "rule": "ANY"});
        assert_eq!(named(&value), []);
        let huge =
            json!({"title": "作业", "window": {"start": "24:00"}, "count": 5_000_000_000_u64});
        assert_eq!(named(&huge), [("count".to_owned(), "is more than 4294967295".to_owned())]);
        assert_eq!(named(&json!([])), [("body".to_owned(), "is not an object".to_owned())]);
    }
}
