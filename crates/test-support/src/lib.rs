#![doc = include_str!("../README.md")]

mod blocking;
mod blueprint;
mod checker;
mod database;
mod eventually;
mod harness;
mod installation;
mod ledger;
mod nats;
mod process;
mod proxy;

pub use blueprint::{Blueprint, SERVICES};
pub use checker::{Broken, Checker};
pub use database::{Database, migrate_all, services};
pub use eventually::{eventually, lasts};
pub use harness::{Harness, START};
pub use installation::{Backing, Installation};
pub use ledger::{Entry, Ledger, Outcome};
pub use nats::Nats;
pub use proxy::{NetFault, Proxy};
