//! How figures are put together. No IO.

mod figures;
mod outlook;

pub(crate) use figures::{Dashboard, DayFigures, SpanFigures};
pub(crate) use outlook::{Group, Refused, group};
