//! Videos, watched sessions, drawn checks and records: who watched what, proved as themself.
//! Owns the schema `training`. Knows of tickets and site settings only what their facts say, and of persons only ids.

pub mod domain;
