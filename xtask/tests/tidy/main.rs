//! The rules of the house that a machine can check. Each message says what to do instead.

mod arrows;
mod bodies;
mod contract;
mod dependencies;
mod files;
mod jobs;
mod manifests;
mod records;
mod tree;
