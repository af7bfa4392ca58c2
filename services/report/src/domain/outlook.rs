use std::collections::{BTreeMap, BTreeSet};

/// One worker who would be refused at one area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) worker_id: String,
    pub(crate) reason_code: String,
    pub(crate) mend: String,
    pub(crate) who: String,
}

/// Workers whom the same act lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) reason_code: String,
    pub(crate) mend: String,
    pub(crate) who: String,
    pub(crate) worker_ids: Vec<String>,
}

/// Groups refusals by what mends them, the largest group first. A worker refused at several areas for the
/// same reason counts once.
pub(crate) fn group(refused: impl IntoIterator<Item = Refused>) -> Vec<Group> {
    let mut groups: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
    for Refused { worker_id, reason_code, mend, who } in refused {
        groups.entry((reason_code, mend, who)).or_default().insert(worker_id);
    }
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|((reason_code, mend, who), workers)| Group {
            reason_code,
            mend,
            who,
            worker_ids: workers.into_iter().collect(),
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.worker_ids.len()));
    groups
}

#[cfg(test)]
mod tests {
    use super::{Refused, group};

    fn refused(worker: &str, reason: &str) -> Refused {
        Refused {
            worker_id: worker.to_owned(),
            reason_code: reason.to_owned(),
            mend: "finish_training".to_owned(),
            who: "WORKER".to_owned(),
        }
    }

    #[test]
    fn the_largest_group_comes_first_and_a_worker_counts_once() {
        let groups = group([
            refused("a", "IDENTITY_NOT_BOUND"),
            refused("b", "TRAINING_INCOMPLETE"),
            refused("c", "TRAINING_INCOMPLETE"),
            refused("b", "TRAINING_INCOMPLETE"),
        ]);
        let counted: Vec<(&str, usize)> = groups
            .iter()
            .map(|group| (group.reason_code.as_str(), group.worker_ids.len()))
            .collect();
        assert_eq!(counted, [("TRAINING_INCOMPLETE", 2), ("IDENTITY_NOT_BOUND", 1)]);
    }
}
