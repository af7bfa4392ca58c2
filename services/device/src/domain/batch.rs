use std::collections::HashMap;

use types::PassageId;

use super::{Flaw, Key, Report};

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted(PassageId),
    /// It was taken before, as this passage.
    Duplicate(PassageId),
    Rejected(Flaw),
}

/// One event of a batch; either part may be flawed.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Result<Key, Flaw>,
    pub(crate) report: Result<Report, Flaw>,
}

/// A passage that is kept already.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) id: PassageId,
    pub(crate) report: Report,
}

/// What becomes of each event of a batch, in its order, and which of them are new. The same key with the same body
/// is one passage, with another body it is refused; within a batch as between batches.
pub(crate) fn settle(
    entries: Vec<Entry>,
    mut held: HashMap<Key, Held>,
) -> (Vec<Outcome>, Vec<(PassageId, Key, Report)>) {
    let mut new = Vec::new();
    let outcomes = entries.into_iter().map(|entry| {
        let (key, report) = match (entry.key, entry.report) {
            (Ok(key), Ok(report)) => (key, report),
            (Err(flaw), _) | (_, Err(flaw)) => return Outcome::Rejected(flaw),
        };
        match held.get(&key) {
            Some(held) if held.report == report => Outcome::Duplicate(held.id),
            Some(_) => Outcome::Rejected(Flaw::SequenceReused),
            None => {
                let id = PassageId::new();
                held.insert(key.clone(), Held { id, report: report.clone() });
                new.push((id, key, report));
                Outcome::Accepted(id)
            }
        }
    });
    (outcomes.collect(), new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reported;

    fn event(seq: u64, face: &str) -> Entry {
        let reported = Reported {
            event_time: Some("2026-03-02T08:00:00Z".parse().unwrap()),
            face_id: face.to_owned(),
            direction: "IN".to_owned(),
            result: "PASS".to_owned(),
            reason_code: String::new(),
        };
        Entry { key: Key::seq(seq), report: Report::read(&reported) }
    }

    #[test]
    fn a_bad_event_does_not_spoil_the_batch_and_the_same_event_is_one_passage() {
        let held = HashMap::from([event(1, "a")].map(|entry| {
            (entry.key.unwrap(), Held { id: PassageId::new(), report: entry.report.unwrap() })
        }));
        let id = held.values().next().unwrap().id;
        let batch = vec![
            event(1, "a"),
            event(1, "b"),
            Entry { report: Err(Flaw::EventTime), ..event(3, "a") },
            event(2, "a"),
            event(2, "a"),
            event(2, "b"),
        ];
        let (outcomes, new) = settle(batch, held);
        let accepted = new[0].0;
        assert_eq!(
            outcomes,
            [
                Outcome::Duplicate(id),
                Outcome::Rejected(Flaw::SequenceReused),
                Outcome::Rejected(Flaw::EventTime),
                Outcome::Accepted(accepted),
                Outcome::Duplicate(accepted),
                Outcome::Rejected(Flaw::SequenceReused),
            ]
        );
        assert_eq!(new.len(), 1);
    }
}
