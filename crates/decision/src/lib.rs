#![doc = include_str!("../README.md")]

mod evaluate;
mod facts;
mod outcome;
mod rank;

#[cfg(test)]
mod tests;

pub use evaluate::{decide, explain, outlook};
pub use facts::{
    Controller, DailyTicket, Direction, Door, DoorKnowledge, DoorVerdict, Facts, Identity, Person,
    Senses, Training,
};
pub use outcome::{Decision, Detail, Explanation, Failing, Source};
