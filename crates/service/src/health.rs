//! What this process needs in order to serve, and whether it has it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::store::{Scope, Store};
use crate::tasks::Tasks;

/// How often a dependency is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The health of all components of one process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health {
    components: Arc<RwLock<BTreeMap<String, Result<(), String>>>>,
}

impl Health {
    /// Adds a component, not ready until it says so.
    pub fn component(&self, name: impl Into<String>) -> Component {
        let component = Component { name: name.into(), health: self.clone() };
        component.down("starting");
        component
    }

    /// What is missing, by component; empty when the process is ready.
    pub fn missing(&self) -> BTreeMap<String, String> {
        let components = self.components.read().unwrap_or_else(PoisonError::into_inner);
        components
            .iter()
            .filter_map(|(name, state)| Some((name.clone(), state.as_ref().err()?.clone())))
            .collect()
    }

    fn set(&self, name: &str, state: Result<(), String>) {
        let mut components = self.components.write().unwrap_or_else(PoisonError::into_inner);
        components.insert(name.to_owned(), state);
    }

    /// Asks the database once a second whether it answers.
    pub fn watch_database(&self, tasks: &Tasks, name: &str, store: Store) {
        let component = self.component(format!("{name}.database"));
        let stop = tasks.token();
        tasks.spawn("health", async move {
            loop {
                match store.begin(Scope::System("health")).await {
                    Ok(_) => component.up(),
                    Err(err) => component.down(&err.to_string()),
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PROBE_EVERY) => {}
                }
            }
        });
    }

    /// Follows the broker's connection.
    pub fn watch_broker(&self, tasks: &Tasks, nats: async_nats::Client) {
        let component = self.component("broker");
        let stop = tasks.token();
        tasks.spawn("health", async move {
            loop {
                match nats.connection_state() {
                    async_nats::connection::State::Connected => component.up(),
                    state => component.down(&state.to_string()),
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PROBE_EVERY / 5) => {}
                }
            }
        });
    }
}

/// One thing the process needs.
#[derive(Debug, Clone)]
pub struct Component {
    name: String,
    health: Health,
}

impl Component {
    pub fn up(&self) {
        self.health.set(&self.name, Ok(()));
    }

    pub fn down(&self, why: &str) {
        self.health.set(&self.name, Err(why.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn a_process_is_ready_when_every_component_is_up() {
        let health = Health::default();
        let database = health.component("database");
        let broker = health.component("broker");
        database.up();
        assert_eq!(health.missing().keys().collect::<Vec<_>>(), ["broker"]);
        broker.up();
        assert!(health.missing().is_empty());
        database.down("connection refused");
        assert_eq!(health.missing()["database"], "connection refused");
    }
}
