#![doc = include_str!("../README.md")]

mod clock;
mod code;
mod id;
mod language;
mod mend;
mod page;
mod permission;
mod reason;
mod window;
mod zone;

pub use clock::{SiteClock, SystemClock};
pub use code::{ErrorCode, UnknownErrorCode};
pub use id::{
    AccessGroupId, AccountId, AreaId, BindingId, CheckId, ContractorId, DailyTicketId, DeviceId,
    EventId, FaceId, GrantId, InvalidId, NotificationId, PassageId, RecordId, SessionId, SiteId,
    TicketId, VideoId, WorkerId,
};
pub use language::Language;
pub use mend::{Mend, Mender};
pub use page::{FieldProblem, Page};
pub use permission::{Permission, Role, UnknownPermission, UnknownRole};
pub use reason::{ReasonCode, UnknownReason};
pub use window::{InstantWindow, InvalidTime, TimeWindow, format_time, parse_time};
pub use zone::{InvalidZone, SiteZone};
