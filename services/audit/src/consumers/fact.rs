//! What an entry keeps of a fact: which things, in which state, when. Nothing that a person wrote and nothing that is
//! known of one: an entry is never deleted.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};
use serde_json::{Map, json};

/// Of a longer list the length is kept: a ticket names hundreds of workers, and tells of itself twice a day.
const MOST: usize = 20;

/// Texts that are kept by the end of their name: ids, who did it, days and times of day.
const ENDS: [&str; 5] = ["_id", "_ids", "_by", "_date", "_time"];
/// And by their whole name: words of the contract.
const NAMES: [&str; 14] = [
    "about",
    "check_mode",
    "date",
    "direction",
    "kind",
    "reason_code",
    "reason_source",
    "reported_reason_code",
    "result",
    "role",
    "status",
    "type",
    "until",
    "video_rule",
];
/// Kept where they hold such a word and not what a person wrote.
const WORDS: [&str; 3] = ["cause", "reason", "revoke_reason"];
/// A face is known by it to the door system.
const NEVER: &str = "face_id";

static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).ok());

/// What a fact says as JSON; `None` where the contract does not know it.
pub(super) fn told(context: &str, name: &str, data: &[u8]) -> Option<serde_json::Value> {
    let pool = POOL.as_ref()?;
    let own = pool.get_message_by_name(&format!("sitepass.{context}.v1.{name}"));
    let shared = || pool.get_message_by_name(&format!("sitepass.common.v1.{name}"));
    let message = DynamicMessage::decode(own.or_else(shared)?, data).ok()?;
    Some(object(&message))
}

fn object(message: &DynamicMessage) -> serde_json::Value {
    let fields = message.fields();
    let kept = fields
        .filter_map(|(field, value)| Some((field.name().to_owned(), shown(field.name(), value)?)));
    kept.collect::<Map<_, _>>().into()
}

fn shown(name: &str, value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Bool(value) => json!(value),
        Value::I32(value) => json!(value),
        Value::I64(value) => json!(value),
        Value::U32(value) => json!(value),
        Value::U64(value) => json!(value),
        Value::String(text) => keeps(name, text).then(|| json!(text))?,
        Value::Message(message) if message.descriptor().full_name() == TIMESTAMP => {
            json!(proto::instant(message.transcode_to().ok().as_ref())?)
        }
        Value::Message(message) => object(message),
        Value::List(values) => list(name, values),
        Value::F32(_) | Value::F64(_) | Value::Bytes(_) | Value::EnumNumber(_) | Value::Map(_) => {
            return None;
        }
    })
}

const TIMESTAMP: &str = "google.protobuf.Timestamp";

fn list(name: &str, values: &[Value]) -> serde_json::Value {
    let texts = values.iter().map(|value| match value {
        Value::String(_) => shown(name, value),
        _ => None,
    });
    let texts: Option<Vec<_>> = if values.len() > MOST { None } else { texts.collect() };
    texts.map_or_else(|| json!({ "count": values.len() }), serde_json::Value::from)
}

fn keeps(name: &str, text: &str) -> bool {
    let word = || text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let named = NAMES.contains(&name) || ENDS.iter().any(|end| name.ends_with(end));
    name != NEVER && (named || WORDS.contains(&name) && word())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::{Kind, MessageDescriptor};
    use proto::Event;
    use proto::access_grant::v1::{AccessRevoked, Grant};
    use proto::ticket::v1::{Ticket, TicketAmended};
    use proto::training::v1::TrainingFailed;

    use super::*;

    fn read<E: Event + prost::Message>(fact: &E) -> serde_json::Value {
        told(E::CONTEXT, E::NAME, &fact.encode_to_vec()).unwrap()
    }

    #[test]
    fn ids_states_versions_and_times_are_kept_and_what_was_written_is_not() {
        let ids = |count: usize| (0..count).map(|number| number.to_string()).collect();
        let ticket = Ticket {
            ticket_id: "t".to_owned(),
            title: "Roof, ask Li Lei".to_owned(),
            remark: "his number is on the board".to_owned(),
            start_date: "2026-03-02".to_owned(),
            area_ids: ids(2),
            worker_ids: ids(500),
            daily_tickets: vec![proto::ticket::v1::DailyTicket::default(); 31],
            status: "ACTIVE".to_owned(),
            version: 7,
            ..Ticket::default()
        };
        let amended = TicketAmended {
            ticket: Some(ticket),
            amended_by: "account:a".to_owned(),
            reason: "rain".to_owned(),
            amended_at: Some(prost_types::Timestamp { seconds: 1_772_409_600, nanos: 0 }),
        };
        assert_eq!(
            read(&amended),
            json!({
                "ticket": {
                    "ticket_id": "t",
                    "start_date": "2026-03-02",
                    "area_ids": ["0", "1"],
                    "worker_ids": {"count": 500},
                    "daily_tickets": {"count": 31},
                    "status": "ACTIVE",
                    "version": 7,
                },
                "amended_by": "account:a",
                "amended_at": "2026-03-02T00:00:00Z",
            })
        );
    }

    #[test]
    fn a_reason_is_kept_where_it_is_a_word_of_the_contract_and_a_face_never_is() {
        let failed = TrainingFailed { reason: "DAY_CLOSED".to_owned(), ..Default::default() };
        assert_eq!(read(&failed), json!({"reason": "DAY_CLOSED"}));
        let grant = Grant {
            grant_id: "g".to_owned(),
            face_id: "f".to_owned(),
            revoke_reason: "REMOVED".to_owned(),
            ..Grant::default()
        };
        let revoked = AccessRevoked { grant: Some(grant) };
        assert_eq!(read(&revoked)["grant"], json!({"grant_id": "g", "revoke_reason": "REMOVED"}));
        assert_eq!(told("ticket", "NeverHeardOf", &[]), None);
        assert_eq!(told("ticket", "TicketAmended", &[0xff]), None);
    }

    fn texts(message: &MessageDescriptor, found: &mut BTreeSet<String>) {
        for field in message.fields() {
            match field.kind() {
                Kind::String if !keeps(field.name(), "written") => {
                    found.insert(field.name().to_owned());
                }
                Kind::Message(inner) => texts(&inner, found),
                _ => {}
            }
        }
    }

    /// A new text of a fact is either of a name that is kept, or stands here: somebody has decided.
    #[test]
    fn what_is_left_out_is_known_by_name() {
        let pool = POOL.as_ref().unwrap();
        let mut found = BTreeSet::new();
        let shared = ["AlertRaised", "AlertCleared"].map(|name| format!("common.v1.{name}"));
        let own = proto::all_events().iter();
        let own = own.map(|event| format!("{}.v1.{}", event.context, event.name));
        for name in own.chain(shared) {
            let message = pool.get_message_by_name(&format!("sitepass.{name}"));
            texts(&message.unwrap(), &mut found);
        }
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        let left_out = [
            "access_group_name",
            "cancel_reason",
            "cause",
            "description",
            "detail",
            "face_id",
            "fallback_ladder",
            "firmware",
            "last_error",
            "mend",
            "name",
            "realname_project",
            "reason",
            "remark",
            "revoke_reason",
            "team",
            "time_zone",
            "title",
            "trade",
            "username",
            "wechat_appid",
            "wechat_template_daily_reminder",
            "wechat_template_deadline_soon",
            "wechat_template_ticket_published",
            "who",
        ];
        assert_eq!(found, left_out);
    }
}
