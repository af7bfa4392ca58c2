mod account;
mod binding;
mod matching;
mod refresh;
mod site;
mod sms_code;
mod worker;

pub(crate) use account::{Account, MIN_PASSWORD_CHARS, is_username};
pub(crate) use binding::{Binding, BindingEnd, Held, Plan, WechatUserId, plan};
pub(crate) use matching::{Candidate, Matched, Matcher, Part, Place, Sought};
pub(crate) use refresh::{Family, FamilyEnd, FamilyId, RefusedRefresh, Token};
pub(crate) use site::{Area, AreaStatus, Contractor, Settings, Site};
pub(crate) use sms_code::{SentCode, SmsCode};
pub(crate) use worker::{Engagement, Followed, Index, Keys, RosterEntry, Worker, WorkerStatus};
