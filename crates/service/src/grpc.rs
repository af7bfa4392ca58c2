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

/// The largest answer that is taken of a service of ours: what a whole site comes to, where it is told at once. tonic itself
/// takes 4 MiB, which is some 10,000 refusals.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The most that the headers of a call or of its answer come to. A caller's token names each of their sites in 39 bytes
/// of JSON, 52 of base64: this holds 2,500 of them. Of itself hyper takes 16 KiB, which is 300.
const MAX_HEADER_BYTES: u32 = 128 << 10;
