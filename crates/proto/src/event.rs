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
}

/// One line of the contract: which context publishes which event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKind {
    pub context: &'static str,
    pub name: &'static str,
}

macro_rules! events {
    ($($context:ident :: $name:ident, $subject:expr, $site:expr, $version:expr;)*) => {
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
            }
        )*

        /// Every event of every context. `CommandAudited`, `AlertRaised` and `AlertCleared` are published by each of
        /// them and are not listed.
        pub fn all_events() -> &'static [EventKind] {
            &[$(EventKind { context: stringify!($context), name: stringify!($name) }),*]
        }
    };
}

events! {
    directory::SiteChanged, |e| Some(e.site.as_ref()?.site_id.clone()), |e| Some(e.site.as_ref()?.site_id.clone()), |e| Some(e.site.as_ref()?.version);
    directory::ContractorChanged, |e| Some(e.contractor.as_ref()?.contractor_id.clone()), |_| None, |e| Some(e.contractor.as_ref()?.version);
    directory::AreaChanged, |e| Some(e.area.as_ref()?.area_id.clone()), |e| Some(e.area.as_ref()?.site_id.clone()), |e| Some(e.area.as_ref()?.version);
    directory::WorkerChanged, |e| Some(e.worker.as_ref()?.worker_id.clone()), |_| None, |e| Some(e.worker.as_ref()?.version);
    directory::WorkerBound, |e| Some(e.worker.as_ref()?.worker_id.clone()), |_| None, |e| Some(e.worker.as_ref()?.version);
    directory::WorkerUnbound, |e| Some(e.worker.as_ref()?.worker_id.clone()), |_| None, |e| Some(e.worker.as_ref()?.version);
    directory::AccountChanged, |e| Some(e.account.as_ref()?.account_id.clone()), |_| None, |e| Some(e.account.as_ref()?.version);

    ticket::TicketPublished, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version);
    ticket::TicketAmended, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version);
    ticket::TicketCancelled, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version);
    ticket::DailyTicketStarted, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version);
    ticket::DailyTicketExpired, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version);
    ticket::DailyTicketCancelled, |e| Some(e.ticket.as_ref()?.ticket_id.clone()), |e| Some(e.ticket.as_ref()?.site_id.clone()), |e| Some(e.ticket.as_ref()?.version);

    training::VideoChanged, |e| Some(e.video.as_ref()?.video_id.clone()), |e| Some(e.video.as_ref()?.site_id.clone()), |e| Some(e.video.as_ref()?.version);
    training::TrainingStarted, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |e| Some(e.version);
    training::TrainingFailed, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |e| Some(e.version);
    training::VideoCompleted, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |e| Some(e.version);
    training::TrainingCompleted, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |e| Some(e.version);

    notification::NotificationSent, |e| Some(e.notification.as_ref()?.notification_id.clone()), |e| Some(e.notification.as_ref()?.site_id.clone()), |e| Some(e.notification.as_ref()?.version);
    notification::NotificationFailed, |e| Some(e.notification.as_ref()?.notification_id.clone()), |e| Some(e.notification.as_ref()?.site_id.clone()), |e| Some(e.notification.as_ref()?.version);
    notification::NotificationSkipped, |e| Some(e.notification.as_ref()?.notification_id.clone()), |e| Some(e.notification.as_ref()?.site_id.clone()), |e| Some(e.notification.as_ref()?.version);
    notification::TaskRead, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |_| Some(1);

    access_grant::AccessGranted, |e| Some(e.grant.as_ref()?.grant_id.clone()), |e| Some(e.grant.as_ref()?.site_id.clone()), |e| Some(e.grant.as_ref()?.version);
    access_grant::LateGrantReleased, |e| Some(format!("{}/{}", e.daily_ticket_id, e.worker_id)), |e| Some(e.site_id.clone()), |_| Some(1);
    access_grant::AccessSynced, |e| Some(e.grant.as_ref()?.grant_id.clone()), |e| Some(e.grant.as_ref()?.site_id.clone()), |e| Some(e.grant.as_ref()?.version);
    access_grant::AccessSyncFailed, |e| Some(e.grant.as_ref()?.grant_id.clone()), |e| Some(e.grant.as_ref()?.site_id.clone()), |e| Some(e.grant.as_ref()?.version);
    access_grant::AccessRevoked, |e| Some(e.grant.as_ref()?.grant_id.clone()), |e| Some(e.grant.as_ref()?.site_id.clone()), |e| Some(e.grant.as_ref()?.version);
    access_grant::PassageExplained, |e| Some(e.passage_id.clone()), |e| Some(e.site_id.clone()), |_| Some(1);

    device::DeviceChanged, |e| Some(e.device.as_ref()?.device_id.clone()), |e| Some(e.device.as_ref()?.site_id.clone()), |e| Some(e.device.as_ref()?.version);
    device::DeviceOnline, |e| Some(e.device.as_ref()?.device_id.clone()), |e| Some(e.device.as_ref()?.site_id.clone()), |e| Some(e.device.as_ref()?.version);
    device::DeviceOffline, |e| Some(e.device.as_ref()?.device_id.clone()), |e| Some(e.device.as_ref()?.site_id.clone()), |e| Some(e.device.as_ref()?.version);
    device::PassageRecorded, |e| Some(e.passage.as_ref()?.passage_id.clone()), |e| Some(e.passage.as_ref()?.site_id.clone()), |e| Some(e.passage.as_ref()?.version);
}
