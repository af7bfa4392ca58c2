//! gRPC in and out. One transport serves calls within a process and across processes alike: caller
//! verified, deny by default, deadline kept, panics caught, trace joined.

mod policy;
mod server;
mod transport;

pub use policy::{Access, Policy};
pub use server::{Method, caller, layered, serve};
pub use transport::{Peers, Transport};

/// The metadata key of the signed caller token.
pub const CALLER: &str = "x-sitepass-caller";
