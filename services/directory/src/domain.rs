mod account;
mod binding;
mod matching;
mod refresh;
mod settings;
mod site;
mod sms_code;
mod worker;

pub(crate) use account::{Account, AccountChange, MIN_PASSWORD_CHARS, is_username, unfit};
pub(crate) use binding::{Binding, BindingEnd, Held, Plan, WechatUserId, plan};
pub(crate) use matching::{Candidate, Matched, Matcher, Part, Place, Sought};
pub(crate) use refresh::{Family, FamilyEnd, FamilyId, RefusedRefresh, Token};
pub(crate) use settings::{Change, Settings, Wechat};
pub(crate) use site::{Area, AreaStatus, Contractor, Site};
pub(crate) use sms_code::{SentCode, SmsCode};
pub(crate) use worker::{Engagement, Followed, Index, Keys, RosterEntry, Worker, WorkerStatus};
