//! Journeys across running processes: starts the real binary in any split on a database and streams of its
//! own, and collects the spans it exports.
#![expect(clippy::missing_panics_doc, reason = "all of it is for tests, which fail by panicking")]

pub mod chaos;
mod spans;

pub use spans::{Spans, Told};
