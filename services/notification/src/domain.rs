//! What a notice is, what can become of it and what it says. No IO.

mod message;
mod notice;

pub use message::{Message, render};
pub use notice::{
    Answer, ByHand, Consent, Content, Kind, NotAllowed, Notice, Refusal, Skip, State, Status, Task,
    Word,
};
