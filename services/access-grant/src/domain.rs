//! Grants and who is to have one. No IO, no clock.

mod backoff;
mod day;
mod grant;
mod picture;
mod reconcile;

pub use backoff::backoff;
pub use day::{Day, DayState, Training};
pub use grant::{Aim, Grant, RevokeReason, Sight, State, Step};
pub use picture::{KnownDay, Picture, Whom};
pub use reconcile::{Change, DoorNames, Effect, reconcile};
