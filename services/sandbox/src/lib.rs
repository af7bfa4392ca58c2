//! Local stand-ins for the firms outside: WeChat, SMS, face, real-name and door systems. They speak
//! the real wire formats and behave as badly as the real ones when `/_control/faults` asks for it.
//! State lives in memory and no rule of Sitepass is here. Never part of production.

mod config;
mod control;
mod door;
mod envelope;
mod face;
mod faults;
mod realname;
mod router;
mod sandbox;
mod sms;
pub mod tc3;
mod wechat;
mod wiring;

pub use config::{
    Config, DoorConfig, SMS_APP_ID, SMS_SECRET_ID, SMS_SECRET_KEY, SmsConfig, WECHAT_APPID,
    WECHAT_SECRET, WechatConfig,
};
pub use door::reports::deliver as deliver_reports;
pub use realname::{CONTRACTORS, Contractor, PROJECTS, Person, ROSTER_SIZE, roster};
pub use router::router;
pub use sandbox::{Sandbox, SetClock};
pub use sms::{SIGN_NAME, SMS_TEMPLATES};
pub use wechat::{PAGES, TEMPLATES, Template};
pub use wiring::serve;
