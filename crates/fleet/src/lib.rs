#![doc = include_str!("../README.md")]

mod admin;
mod api;
mod controller;
mod day;
mod learn;
mod sandbox;
mod seed;
mod timeline;
mod worker;

pub use admin::Admin;
pub use api::{Answer, Api};
pub use controller::Controller;
pub use day::play;
pub use learn::train;
pub use sandbox::{Person, Sandbox};
pub use seed::{Demo, seed};
pub use timeline::Timeline;
pub use worker::{Training, Worker};

/// Where an installation answers.
#[derive(Debug, Clone)]
pub struct Urls {
    pub gateway: String,
    pub device: String,
    pub sandbox: String,
}

/// The password of every demo account.
pub const PASSWORD: &str = "Sitepass-demo-1";
