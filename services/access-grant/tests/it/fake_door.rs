use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use access_grant::door::{Door, Entry, Fault, Order, Page};
use events::async_trait;
use tokio::sync::Notify;
use types::{AccessGroupId, GrantId, InstantWindow};

/// How the door answers and what it really does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    Honest,
    /// Says yes and holds nothing.
    Forgetful,
    /// Does as told, but the answer is lost.
    ReplyLost,
    /// Nobody there.
    Away,
    Refusing,
    /// Says it forgot a grant and goes on holding it.
    Clinging,
}

#[derive(Debug, Default)]
struct Inside {
    mode: Mode,
    held: BTreeMap<String, (AccessGroupId, Entry)>,
    pushes: Vec<GrantId>,
    gated: bool,
    traceparents: Vec<Option<String>>,
}

#[derive(Debug, Default)]
pub(crate) struct FakeDoor {
    inside: Mutex<Inside>,
    /// Tells the test that a push has begun, and the push that it may go on.
    pub(crate) begun: Notify,
    pub(crate) go_on: Notify,
}

impl FakeDoor {
    pub(crate) fn set(&self, mode: Mode) {
        self.inside().mode = mode;
    }

    /// Holds the next push between its beginning and its effect.
    pub(crate) fn gate(&self) {
        self.inside().gated = true;
    }

    pub(crate) fn pushes(&self) -> Vec<GrantId> {
        self.inside().pushes.clone()
    }

    /// The trace each push came in.
    pub(crate) fn traceparents(&self) -> Vec<Option<String>> {
        self.inside().traceparents.clone()
    }

    pub(crate) fn holds(&self, grant: GrantId) -> Option<InstantWindow> {
        self.inside().held.get(&grant.to_string()).map(|(_, entry)| entry.window)
    }

    pub(crate) fn held(&self) -> usize {
        self.inside().held.len()
    }

    pub(crate) fn lose(&self, grant: GrantId) {
        self.inside().held.remove(&grant.to_string());
    }

    /// Puts something in that nobody granted.
    pub(crate) fn smuggle(&self, group: &AccessGroupId, grant_id: &str, window: InstantWindow) {
        let entry = Entry { grant_id: grant_id.to_owned(), face_id: "face-x".to_owned(), window };
        self.inside().held.insert(grant_id.to_owned(), (group.clone(), entry));
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }
}

#[async_trait]
impl Door for FakeDoor {
    async fn push(&self, order: &Order<'_>) -> Result<(), Fault> {
        let gated = std::mem::take(&mut self.inside().gated);
        if gated {
            self.begun.notify_one();
            self.go_on.notified().await;
        }
        let mut inside = self.inside();
        inside.pushes.push(order.grant);
        inside.traceparents.push(service::telemetry::current_traceparent());
        assert!(
            !order.person.id_no.is_empty() && !order.person.name.is_empty(),
            "the vendor wants both"
        );
        let entry = Entry {
            grant_id: order.grant.to_string(),
            face_id: order.face_id.to_owned(),
            window: order.window,
        };
        match inside.mode {
            Mode::Away => return Err(Fault::Away("UNREACHABLE".to_owned())),
            Mode::Refusing => return Err(Fault::Refused("REFUSED_40001".to_owned())),
            Mode::Forgetful => return Ok(()),
            Mode::Honest | Mode::ReplyLost | Mode::Clinging => {}
        }
        let lost = inside.mode == Mode::ReplyLost;
        inside.held.insert(entry.grant_id.clone(), (order.group.clone(), entry));
        if lost { Err(Fault::Away("TIMEOUT".to_owned())) } else { Ok(()) }
    }

    async fn remove(&self, _group: &AccessGroupId, grant_id: &str) -> Result<(), Fault> {
        let mut inside = self.inside();
        match inside.mode {
            Mode::Away => Err(Fault::Away("UNREACHABLE".to_owned())),
            Mode::Clinging => Ok(()),
            _ => {
                inside.held.remove(grant_id);
                Ok(())
            }
        }
    }

    async fn read(&self, group: &AccessGroupId, cursor: Option<&str>) -> Result<Page, Fault> {
        let inside = self.inside();
        if inside.mode == Mode::Away {
            return Err(Fault::Away("UNREACHABLE".to_owned()));
        }
        let after = cursor.unwrap_or_default().to_owned();
        let held = inside.held.values().filter(|(of, entry)| of == group && entry.grant_id > after);
        let mut entries: Vec<Entry> = held.map(|(_, entry)| entry.clone()).collect();
        let more = entries.len() > 2;
        entries.truncate(2);
        let next_cursor = entries.last().filter(|_| more).map(|entry| entry.grant_id.clone());
        Ok(Page { entries, next_cursor })
    }
}
