#![expect(clippy::unwrap_used, reason = "tests")]

mod door_changes;
mod fake_door;
mod grants;
mod guards;
mod history;
mod pushing;
mod reading;
mod rpcs;
mod states;
mod vendor_door;
mod world;
