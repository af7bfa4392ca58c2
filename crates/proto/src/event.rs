use crate::{access_grant, device, directory, notification, ticket, training};

/// A fact that a context publishes. Its name, stream and aggregate are part of the contract.
pub trait Event: prost::Message + Default + Send + Sync + 'static {
    /// The context that owns it, as in subjects: `access_grant`.
    const CONTEXT: &'static str;
    /// Noun and past participle: `TicketPublished`.
    const NAME: &'static str;

    /// The aggregate it is about; facts of one aggregate keep their order.
    fn subject_id(&self) -> String;
    /// The site it belongs to; `None` where no site applies.
    fn site_id(&self) -> Option<String>;
    /// The aggregate's version after the fact. A consumer keeps the newest.
    fn version(&self) -> u64;
    /// What it says of its aggregate as that now is; `None` where a reader who was not there needs no such fact.
    fn state(&self) -> Option<State>;
}

/// Of which aggregate a fact is the newest state, for who was not there when it changed. Every event of one kind
/// carries all that a reader of the kind keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The kind of aggregate: `Ticket`.
    pub kind: &'static str,
    /// The aggregate's id, as in the fact's subject; never empty.
    pub id: String,
    /// It does not matter any more once the facts of its last days are gone: nothing is told of it for ever.
    pub ended: bool,
}

/// One line of the contract: which context publishes which event, and of which kind of aggregate it is the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKind {
    pub context: &'static str,
    pub name: &'static str,
    pub state: Option<&'static str>,
}

/// The kinds of aggregate of which a context keeps the newest state, in the order they are told.
pub fn state_kinds(context: &str) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    for kind in all_events().iter().filter(|event| event.context == context) {
        kinds.extend(kind.state.filter(|kind| !kinds.contains(kind)));
    }
    kinds
}

macro_rules! state {
    ($event:ident) => {
        None
    };
    ($event:ident, $kind:ident, $ended:expr) => {{
        let ended: fn(&Self) -> bool = $ended;
        let state =
            State { kind: stringify!($kind), id: $event.subject_id(), ended: ended($event) };
        Some(state).filter(|state| !state.id.is_empty())
    }};
}

macro_rules! kind {
    () => {
        None
    };
    ($kind:ident) => {
        Some(stringify!($kind))
    };
}

macro_rules! events {
    ($($context:ident :: $name:ident, $subject:expr, $site:expr, $version:expr $(, $kind:ident, $ended:expr)?;)*) => {
        $(
            impl Event for $context::v1::$name {
                const CONTEXT: &'static str = stringify!($context);
                const NAME: &'static str = stringify!($name);

                fn subject_id(&self) -> String {
                    let read: fn(&Self) -> Option<String> = $subject;
                    read(self).unwrap_or_default()
                }

                fn site_id(&self) -> Option<String> {
                    let read: fn(&Self) -> Option<String> = $site;
                    read(self).filter(|id| !id.is_empty())
                }

                fn version(&self) -> u64 {
                    let read: fn(&Self) -> Option<u64> = $version;
                    read(self).unwrap_or_default()
                }

                fn state(&self) -> Option<State> {
                    state!(self $(, $kind, $ended)?)
                }
            }
        )*

        /// Every event of every context. `CommandAudited`, `AlertRaised` and `AlertCleared` are published by each of
        /// them and are not listed.
        pub fn all_events() -> &'static [EventKind] {
            &[$(EventKind {
                context: stringify!($context),
                name: stringify!($name),
                state: kind!($($kind)?),
            }),*]
        }
    };
}

events! {
    directory::SiteChanged, |e| Some(e.site.as_ref()?.site_id.clone()), |e| Some(e.site.as_ref()?.site_id.clone()), |e| Some(e.site.as_ref()?.version), Site, |_| false;
    directory::ContractorChanged, |e| Some(e.contractor.as_ref()?.contractor_id.clone()), |_| None, |e| Some(e.contractor.as_ref()?.version), Contractor, |_| false;
    directory::AreaChanged, |e| Some(e.area.as_ref()?.area_id.clone()), |e| Some(e.area.as_ref()?.site_id.clone()), |e| Some(e.area.as_ref()?.version), Area, |_| false;
    directory::WorkerChanged, |e| Some(e.worker.as_ref()?.worker_id.clone()), |_| None, |e| Some(e.worker.as_ref()?.version), Worker, |_| false;
    directory::WorkerBound, |e| Some(e.worker.as_ref()?.worker_id.clone()), |_| None, |e| Some(e.worker.as_ref()?.version), WorkerBinding, |_| false;
    directory::WorkerUnbound, |e| Some(e.worker.as_ref()?.worker_id.clone()), |_| None, |e| Some(e.worker.as_ref()?.version), WorkerBinding, |_| false;
    directory::AccountChanged, |e| Some(e.account.as_ref()?.account_id.clone()), |_| None, |e| Some(e.account.as_ref()?.version), Account, |_| false;

    ticket::TicketPublished, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version), Ticket, |e| over(e.ticket.as_ref());
    ticket::TicketAmended, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version), Ticket, |e| over(e.ticket.as_ref());
    ticket::TicketCancelled, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version), Ticket, |e| over(e.ticket.as_ref());
    ticket::DailyTicketStarted, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version), Ticket, |e| over(e.ticket.as_ref());
    ticket::DailyTicketExpired, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version), Ticket, |e| over(e.ticket.as_ref());
    ticket::DailyTicketCancelled, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version), Ticket, |e| over(e.ticket.as_ref());

    training::VideoChanged, |e| Some(e.video.as_ref()?.video_id.clone()), |e| Some(e.video.as_ref()?.site_id.clone()), |e| Some(e.video.as_ref()?.version), Video, |_| false;
    training::TrainingStarted, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |e| Some(e.version);
    training::TrainingFailed, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |e| Some(e.version);
    training::VideoCompleted, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |e| Some(e.version);
    training::TrainingCompleted, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |e| Some(e.version), TrainingDay, |_| true;
    training::TrainingReopened, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |e| Some(e.version), TrainingDay, |_| true;

    notification::NotificationSent, |e| Some(e.notification.as_ref()?.notification_id.clone()), |e| Some(e.notification.as_ref()?.site_id.clone()), |e| Some(e.notification.as_ref()?.version);
    notification::NotificationFailed, |e| Some(e.notification.as_ref()?.notification_id.clone()), |e| Some(e.notification.as_ref()?.site_id.clone()), |e| Some(e.notification.as_ref()?.version);
    notification::NotificationSkipped, |e| Some(e.notification.as_ref()?.notification_id.clone()), |e| Some(e.notification.as_ref()?.site_id.clone()), |e| Some(e.notification.as_ref()?.version);
    notification::TaskRead, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |_| Some(1);

    access_grant::AccessGranted, |e| Some(e.grant.as_ref()?.grant_id.clone()), |e| Some(e.grant.as_ref()?.site_id.clone()), |e| Some(e.grant.as_ref()?.version), Grant, |e| revoked(e.grant.as_ref());
    access_grant::LateGrantReleased, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |_| Some(1);
    access_grant::AccessSynced, |e| Some(e.grant.as_ref()?.grant_id.clone()), |e| Some(e.grant.as_ref()?.site_id.clone()), |e| Some(e.grant.as_ref()?.version), Grant, |e| revoked(e.grant.as_ref());
    access_grant::AccessSyncFailed, |e| Some(e.grant.as_ref()?.grant_id.clone()), |e| Some(e.grant.as_ref()?.site_id.clone()), |e| Some(e.grant.as_ref()?.version), Grant, |e| revoked(e.grant.as_ref());
    access_grant::AccessRevoked, |e| Some(e.grant.as_ref()?.grant_id.clone()), |e| Some(e.grant.as_ref()?.site_id.clone()), |e| Some(e.grant.as_ref()?.version), Grant, |e| revoked(e.grant.as_ref());
    access_grant::PassageExplained, |e| Some(e.passage_id.clone()), |e| Some(e.site_id.clone()), |_| Some(1);

    device::DeviceChanged, |e| Some(e.device.as_ref()?.device_id.clone()), |e| Some(e.device.as_ref()?.site_id.clone()), |e| Some(e.device.as_ref()?.version), Device, |_| false;
    device::DeviceOnline, |e| Some(e.device.as_ref()?.device_id.clone()), |e| Some(e.device.as_ref()?.site_id.clone()), |e| Some(e.device.as_ref()?.version), Device, |_| false;
    device::DeviceOffline, |e| Some(e.device.as_ref()?.device_id.clone()), |e| Some(e.device.as_ref()?.site_id.clone()), |e| Some(e.device.as_ref()?.version), Device, |_| false;
    device::PassageRecorded, |e| Some(e.passage.as_ref()?.passage_id.clone()), |e| Some(e.passage.as_ref()?.site_id.clone()), |e| Some(e.passage.as_ref()?.version);
}

/// Cancelled, or every day of it is over.
fn over(ticket: Option<&ticket::v1::Ticket>) -> bool {
    let ended =
        |day: &ticket::v1::DailyTicket| matches!(day.status.as_str(), "EXPIRED" | "CANCELLED");
    ticket.is_some_and(|ticket| {
        ticket.status == "CANCELLED" || ticket.daily_tickets.iter().all(ended)
    })
}

fn revoked(grant: Option<&access_grant::v1::Grant>) -> bool {
    grant.is_some_and(|grant| grant.status == "REVOKED")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_grant::v1::{AccessRevoked, AccessSynced, Grant};
    use crate::device::v1::PassageRecorded;
    use crate::ticket::v1::{DailyTicket, DailyTicketExpired, Ticket};

    fn days(statuses: &[&str]) -> Option<State> {
        let day =
            |status: &&str| DailyTicket { status: (*status).to_owned(), ..Default::default() };
        let daily_tickets = statuses.iter().map(day).collect();
        let ticket = Ticket {
            ticket_id: "t".to_owned(),
            daily_tickets,
            status: "ACTIVE".to_owned(),
            ..Default::default()
        };
        DailyTicketExpired { ticket: Some(ticket), ..Default::default() }.state()
    }

    fn ended(state: Option<State>) -> bool {
        state.unwrap().ended
    }

    #[test]
    fn a_ticket_has_ended_when_all_its_days_have() {
        assert!(!ended(days(&["EXPIRED", "PUBLISHED"])));
        assert!(ended(days(&["EXPIRED", "CANCELLED"])));
    }

    #[test]
    fn a_grant_has_ended_when_it_is_revoked() {
        let grant = |status: &str| {
            Some(Grant {
                grant_id: "g".to_owned(),
                status: status.to_owned(),
                ..Default::default()
            })
        };
        assert!(!ended(AccessSynced { grant: grant("SYNCED"), ..Default::default() }.state()));
        assert!(ended(AccessRevoked { grant: grant("REVOKED") }.state()));
    }

    #[test]
    fn what_happened_once_is_no_state_and_neither_is_what_names_no_aggregate() {
        assert_eq!(PassageRecorded::default().state(), None);
        assert_eq!(AccessRevoked::default().state(), None);
    }

    #[test]
    fn every_kind_of_a_context_is_told_once() {
        let directory = ["Site", "Contractor", "Area", "Worker", "WorkerBinding", "Account"];
        assert_eq!(state_kinds("directory"), directory);
        assert!(state_kinds("notification").is_empty());
    }
}
