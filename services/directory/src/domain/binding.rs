use std::fmt;

use chrono::{DateTime, Utc};
use types::{BindingId, WorkerId};
use uuid::Uuid;

/// Somebody who came through WeChat; others never see the openid behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WechatUserId(pub Uuid);

impl WechatUserId {
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for WechatUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A worker's tie to one WeChat user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding {
    pub id: BindingId,
    pub worker: WorkerId,
    pub user: WechatUserId,
    pub bound_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BindingEnd {
    Replaced,
    ByAdmin,
}

impl BindingEnd {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "REPLACED",
            Self::ByAdmin => "BY_ADMIN",
        }
    }
}

/// The active bindings that a new one may meet: the worker's and the user's. May be one and the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Held {
    pub by_worker: Option<Binding>,
    pub by_user: Option<Binding>,
}

/// What binding a pair takes.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// This pair is bound; nothing changes.
    Already(Binding),
    /// End these, in this order, then bind.
    Bind { ends: Vec<Binding> },
}

/// One active binding a worker and one a user: a new one ends what either has with someone else.
pub(crate) fn plan(worker: WorkerId, user: WechatUserId, held: Held) -> Plan {
    let bound = held.by_worker.filter(|binding| binding.worker == worker && binding.user == user);
    match bound {
        Some(binding) => Plan::Already(binding),
        None => Plan::Bind { ends: held.by_user.into_iter().chain(held.by_worker).collect() },
    }
}

/// A worker of the roster with the proved phone: of several, those who have an identity number if any has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub worker: WorkerId,
    /// Whether the six characters are the last of their number, or the name theirs where they have no number.
    pub fits: bool,
    /// Whether a site they are on is content with six.
    pub six_are_enough: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    One(WorkerId),
    /// Nobody, or several: an administrator decides.
    Nobody,
    /// No site of theirs is content with six.
    WholeNumberNeeded,
}

/// Whom six characters and a proved phone mean. Where the whole number is needed the answer is the same whether the six
/// fit or not.
pub(crate) fn match_by_six(candidates: &[Candidate]) -> Match {
    let mut fitting =
        candidates.iter().filter(|candidate| candidate.six_are_enough && candidate.fits);
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Match::One(one.worker),
        (None, _) if candidates.iter().any(|candidate| !candidate.six_are_enough) => {
            Match::WholeNumberNeeded
        }
        _ => Match::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(fits: bool, six_are_enough: bool) -> Candidate {
        Candidate { worker: WorkerId::new(), fits, six_are_enough }
    }

    #[test]
    fn six_characters_bind_one_person_whose_site_is_content_with_them() {
        let (fitting, other) = (candidate(true, true), candidate(false, true));
        assert_eq!(match_by_six(&[other, fitting]), Match::One(fitting.worker));
        assert_eq!(match_by_six(&[other]), Match::Nobody);
        assert_eq!(match_by_six(&[]), Match::Nobody);
    }

    #[test]
    fn two_whom_six_characters_fit_are_left_to_an_administrator() {
        assert_eq!(match_by_six(&[candidate(true, true), candidate(true, true)]), Match::Nobody);
    }

    #[test]
    fn where_the_whole_number_is_needed_nothing_tells_whether_six_fit() {
        for fits in [true, false] {
            assert_eq!(match_by_six(&[candidate(fits, false)]), Match::WholeNumberNeeded);
        }
    }

    fn binding(worker: WorkerId, user: WechatUserId) -> Binding {
        let bound_at = DateTime::from_timestamp(1_772_409_600, 0).unwrap();
        Binding { id: BindingId::new(), worker, user, bound_at }
    }

    #[test]
    fn the_same_pair_again_changes_nothing() {
        let (worker, user) = (WorkerId::new(), WechatUserId::new());
        let same = binding(worker, user);
        let held = Held { by_worker: Some(same), by_user: Some(same) };
        assert_eq!(plan(worker, user, held), Plan::Already(same));
    }

    #[test]
    fn a_new_pair_ends_what_either_side_had() {
        let (worker, user) = (WorkerId::new(), WechatUserId::new());
        let of_worker = binding(worker, WechatUserId::new());
        let of_user = binding(WorkerId::new(), user);
        let held = Held { by_worker: Some(of_worker), by_user: Some(of_user) };
        assert_eq!(plan(worker, user, held), Plan::Bind { ends: vec![of_user, of_worker] });
        assert_eq!(plan(worker, user, Held::default()), Plan::Bind { ends: vec![] });
    }
}
