//! The edge for people and vendors: HTTP in, gRPC on. It says who is calling, checks the permission of each route,
//! speaks the envelope and joins names to ids. It owns no data and no rule.

pub mod access;
mod answer;
mod bindings;
mod call;
mod config;
mod crossing;
mod edge;
mod failure;
mod form;
mod keyed;
mod openapi;
mod parameters;
mod problems;
mod proxies;
mod request;
mod routes;
mod sign_ins;
mod wiring;
mod workbook;

pub use config::Config;
pub use proxies::{NotProxies, Proxies};
pub use wiring::{StartError, router, serve};
