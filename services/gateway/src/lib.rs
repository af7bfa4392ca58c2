//! The edge for people and vendors: HTTP in, gRPC on. It says who is calling, checks the permission of each route,
//! speaks the envelope and joins names to ids. It owns no data and no rule.

pub mod access;
mod answer;
mod bindings;
mod call;
mod config;
mod edge;
mod failure;
mod openapi;
mod problems;
mod request;
mod routes;
mod sheet;
mod wiring;

pub use config::Config;
pub use wiring::{StartError, router, serve};
