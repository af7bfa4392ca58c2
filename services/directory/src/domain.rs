mod account;
mod binding;
mod refresh;
mod roster;
mod site;
mod sms_code;
mod worker;

pub(crate) use account::{Account, MIN_PASSWORD_CHARS, is_username};
pub(crate) use binding::{
    Binding, BindingEnd, Candidate, Held, Match, Plan, WechatUserId, match_by_six, plan,
};
pub(crate) use refresh::{Family, FamilyEnd, FamilyId, RefusedRefresh, Token};
pub(crate) use roster::{Change, ReadingEnd, ReadingId, ReadingKind, Rhythm, Roster};
pub(crate) use site::{Area, AreaStatus, Contractor, Settings, Site};
pub(crate) use sms_code::{SentCode, SmsCode};
pub(crate) use worker::{Engagement, Followed, Index, Keys, RosterEntry, Worker, WorkerStatus};
