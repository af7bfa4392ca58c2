//! What each row of the matrix does to an installation under load.

pub(super) mod events;
pub(super) mod kills;
pub(super) mod network;
pub(super) mod servers;
pub(super) mod snapshot;
