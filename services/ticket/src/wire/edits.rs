use proto::ticket::v1 as pb;
use proto::timestamp;
use serde_json::{Map, Value};

use super::{Changes, account};
use crate::domain::Edit;

/// Bytes of what a page's edits changed; a message holds 4 MiB.
const ROOM: usize = 2_500 * 1024;
/// Longer than that an edit is only by its lists.
const SHORT: usize = 4 * 1024;

/// A page of edits, as they were written. Only where they would not fit into a message the lists of the oldest are
/// counted instead.
pub(crate) fn edits(edits: Vec<Edit>) -> Vec<pb::TicketEdit> {
    let mut room = ROOM;
    let told = edits.into_iter().map(|edit| {
        let mut told = self::edit(edit);
        if bytes(&told) > SHORT {
            told = differing(told);
        }
        if bytes(&told) > SHORT.max(room) {
            told.before = counted(&told.before);
            told.after = counted(&told.after);
        }
        room = room.saturating_sub(bytes(&told));
        told
    });
    told.collect()
}

fn edit(edit: Edit) -> pb::TicketEdit {
    pb::TicketEdit {
        revision: edit.revision,
        action: edit.action.to_string(),
        edited_by: account(edit.by),
        edited_at: Some(timestamp(edit.at)),
        reason: edit.reason.unwrap_or_default(),
        before: edit.before.unwrap_or_default(),
        after: edit.after,
    }
}

fn bytes(edit: &pb::TicketEdit) -> usize {
    edit.before.len() + edit.after.len()
}

/// Edits were written with both lists whole once.
fn differing(edit: pb::TicketEdit) -> pb::TicketEdit {
    let (Some(before), Some(after)) = (fields(&edit.before), fields(&edit.after)) else {
        return edit;
    };
    let Changes { before, after } = Changes::between(before, after);
    let before = before.map(|before| before.to_string()).unwrap_or_default();
    pb::TicketEdit { before, after: after.to_string(), ..edit }
}

/// With how many a list holds, `worker_ids_left_off`, in place of what it holds.
fn counted(text: &str) -> String {
    let Some(fields) = fields(text) else { return text.to_owned() };
    let counted = fields.into_iter().map(|(name, value)| match value {
        Value::Array(ids) => (format!("{name}_left_off"), ids.len().into()),
        value => (name, value),
    });
    Value::Object(counted.collect()).to_string()
}

fn fields(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use types::{AccountId, WorkerId};

    use super::{ROOM, SHORT, bytes, edits};
    use crate::domain::{Action, Edit};

    fn edit(before: &[String], after: &[String]) -> Edit {
        Edit {
            revision: 2,
            action: Action::Amended,
            by: AccountId::new(),
            at: DateTime::UNIX_EPOCH,
            reason: None,
            before: Some(json!({ "remark": "", "worker_ids": before }).to_string()),
            after: json!({ "remark": "注意防火", "worker_ids": after }).to_string(),
        }
    }

    fn workers(count: usize) -> Vec<String> {
        (0..count).map(|_| WorkerId::new().to_string()).collect()
    }

    #[test]
    fn an_edit_that_was_written_with_whole_lists_tells_who_left_and_who_came() {
        let before = workers(2_000);
        let mut after = before.clone();
        let (gone, came) = (after.remove(7), WorkerId::new().to_string());
        after.push(came.clone());
        let told = edits(vec![edit(&before, &after)]).remove(0);
        assert_eq!(told.before, json!({ "remark": "", "worker_ids": [gone] }).to_string());
        assert_eq!(told.after, json!({ "remark": "注意防火", "worker_ids": [came] }).to_string());
    }

    #[test]
    fn what_is_short_stands_as_it_was_written() {
        let short = edit(&["a".to_owned(), "b".to_owned()], &["a".to_owned()]);
        let told = edits(vec![short.clone()]).remove(0);
        assert_eq!((Some(told.before), told.after), (short.before, short.after));
    }

    #[test]
    fn a_page_fits_into_a_message_whatever_its_edits_changed() {
        let page = (0..50).map(|_| edit(&workers(2_000), &workers(2_000))).collect();
        let told = edits(page);
        assert!(told.iter().map(bytes).sum::<usize>() <= ROOM + 50 * SHORT);
        assert!(told[0].before.contains("worker_ids\":["));
        let counted = json!({ "remark": "", "worker_ids_left_off": 2_000 }).to_string();
        assert_eq!(told[49].before, counted);
    }
}
