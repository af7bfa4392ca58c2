#![doc = include_str!("../README.md")]

mod package;
mod read;
mod write;

pub use read::{Cell, Limits, Row, Unreadable, read};
pub use write::{Sheet, Unwritable, book};
