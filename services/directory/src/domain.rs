mod account;
mod binding;
mod limit;
mod matching;
mod refresh;
mod roster;
mod settings;
mod site;
mod sms_code;
mod worker;

pub(crate) use account::{Account, AccountChange, MIN_PASSWORD_CHARS, is_username, unfit};
pub(crate) use binding::{
    Binding, BindingEnd, Candidate as BindingCandidate, Held, Match, Plan, WechatUserId,
    match_by_six, plan,
};
pub(crate) use limit::{AttemptId, Limit, origin};
pub(crate) use matching::{Candidate, Matched, Matcher, Part, Place, Sought};
pub(crate) use refresh::{Family, FamilyEnd, FamilyId, RefusedRefresh, Token};
pub(crate) use roster::{
    Change as RosterChange, ReadingEnd, ReadingId, ReadingKind, Rhythm, Roster, is_of_site,
    is_suspect,
};
pub(crate) use settings::{Change, Settings, Wechat};
pub(crate) use site::{Area, AreaStatus, Contractor, Site};
pub(crate) use sms_code::{SentCode, SmsCode};
pub(crate) use worker::{
    Departure, Employer, Engagement, Followed, Index, Keys, RosterEntry, Worker, WorkerStatus,
};
