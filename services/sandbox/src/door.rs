//! The door vendor's platform: takes grants (PRD 9.6.1), lets them be read back and taken away,
//! decides at the turnstile by what it holds, and reports each passage to our webhook (PRD 9.6.2).

mod api;
mod control;
pub(crate) mod reports;
mod swipe;

use std::collections::{BTreeMap, VecDeque};

use axum::Router;
use axum::routing::{delete, get, post};
use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use types::AccessGroupId;

use crate::sandbox::Sandbox;

/// The doors by access group, and the grants by their id.
#[derive(Debug)]
pub(crate) struct Doors {
    by_group: BTreeMap<String, Door>,
    grants: BTreeMap<String, Held>,
    first_seq: u64,
}

/// How a door behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Behaviour {
    #[default]
    Ok,
    /// Cannot decide: refuses and reports `DEVICE_ERROR`.
    Broken,
    /// Refuses despite a grant and says nothing why.
    RefuseAll,
    /// Cut off: takes no grants, goes on deciding by what it holds, reports when it is back.
    Offline,
}

#[derive(Debug)]
struct Door {
    device_id: String,
    name: String,
    behaviour: Behaviour,
    last_seq: u64,
    unreported: VecDeque<reports::Report>,
    reported: u64,
    last_answer: Option<u16>,
}

/// A grant as a door holds it.
#[derive(Debug, Clone)]
struct Held {
    grant_id: String,
    id_no: String,
    name: String,
    face_id: String,
    access_group_id: String,
    start: DateTime<FixedOffset>,
    end: DateTime<FixedOffset>,
    vendor_ref: String,
    /// How often it was pushed.
    pushes: u32,
    updated_at: DateTime<FixedOffset>,
    /// Of the last push.
    traceparent: Option<String>,
}

pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/api/integration/access-control/grants", get(api::read_back).post(api::push))
        .route("/api/integration/access-control/grants/{grant_id}", delete(api::take_away))
}

pub(crate) fn control() -> Router<Sandbox> {
    Router::new()
        .route("/doors", get(control::list))
        .route("/doors/{access_group_id}", get(control::one).post(control::set))
        .route("/doors/{access_group_id}/permissions", get(control::permissions))
        .route("/doors/{access_group_id}/swipe", post(swipe::swipe))
}

impl Doors {
    /// Sequences go on from the clock, so that they still rise after a restart.
    pub(crate) fn starting_at(now: DateTime<Utc>) -> Self {
        const FIRST_OF_2026: i64 = 1_767_225_600;
        let first_seq = u64::try_from(now.timestamp() - FIRST_OF_2026).unwrap_or_default();
        Self { by_group: BTreeMap::new(), grants: BTreeMap::new(), first_seq }
    }

    /// The group a grant belongs to, for faults aimed at one door.
    pub(crate) fn group_of(&self, grant_id: &str) -> Option<&str> {
        self.grants.get(grant_id).map(|held| held.access_group_id.as_str())
    }

    /// The door of a group; it is built on first use.
    fn door(&mut self, access_group_id: &str) -> &mut Door {
        let last_seq = self.first_seq;
        self.by_group.entry(access_group_id.to_owned()).or_insert_with(|| Door {
            device_id: format!("door-{access_group_id}"),
            name: format!("门禁 {access_group_id}"),
            behaviour: Behaviour::Ok,
            last_seq,
            unreported: VecDeque::new(),
            reported: 0,
            last_answer: None,
        })
    }

    fn held<'a>(&'a self, access_group_id: &'a str) -> impl Iterator<Item = &'a Held> {
        self.grants.values().filter(move |held| held.access_group_id == access_group_id)
    }
}

fn is_vendor_string(text: &str) -> bool {
    AccessGroupId::parse(text).is_ok()
}
