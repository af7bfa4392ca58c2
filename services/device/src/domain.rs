//! What a controller is and what its reports mean.

mod batch;
mod clock_error;
mod device;
mod neighbours;
mod passage;
mod sequence;

pub(crate) use batch::{Entry, Held, Outcome, settle};
pub(crate) use clock_error::ClockError;
pub(crate) use device::{Device, Heard, Heartbeat, Senses, Status};
pub(crate) use neighbours::{Area, Worker};
pub(crate) use passage::{Direction, Flaw, Key, Passage, Report, Reported, Source, Verdict};
pub(crate) use sequence::{Gap, Sequence};
