//! Invariants as queries for their counter-examples, over the schemas of all services.

use super::slots;

/// Notices somebody still has to send.
pub(super) const OPEN_NOTICES: &str =
    "SELECT count(*) FROM notification.notices WHERE status IN ('QUEUED', 'SENDING')";

/// Entries of the audit log that are of no event, but for those given. `{told}` stands for every outbox.
pub(super) const STRAYS: &str = "WITH told AS ({told})
     SELECT event_type || ' is in the audit log and in no outbox' FROM audit.entries
     WHERE event_id <> ALL ($1) AND NOT EXISTS (SELECT FROM told WHERE told.event_id = entries.event_id)";

/// The invariant's number, and a query that finds nothing while it holds. `{told}` stands for the events of every outbox,
/// `{jobs}` for every service's jobs and `{runs}` for their runs.
pub(super) const INVARIANTS: &[(u8, &str)] = &[
    // An entry of the log for each event of each outbox, and none twice.
    (
        2,
        "WITH told AS ({told})
         SELECT count(*) || ' ' || name || ' are not in the audit log once' FROM (
             SELECT told.name FROM told LEFT JOIN audit.entries USING (event_id)
             GROUP BY told.event_id, told.name HAVING count(audit.entries.event_id) <> 1
         ) AS wrong GROUP BY name",
    ),
    // One notice a worker of each published ticket that wants them.
    (
        2,
        "SELECT ticket.title || ': ' || count(*) || ' workers have not one notice' FROM ticket.work_tickets AS ticket
         JOIN ticket.ticket_workers AS named USING (ticket_id)
         WHERE ticket.published_at IS NOT NULL AND ticket.publish_now AND 1 <> (
             SELECT count(*) FROM notification.notices
             WHERE notices.ticket_id = ticket.ticket_id AND notices.worker_id = named.worker_id
         ) GROUP BY ticket.title",
    ),
    // Each copy of a ticket is there and is the newest.
    (
        3,
        "SELECT ticket.title || ': training knows version ' || coalesce(copy.version::text, 'none') || ' of '
             || ticket.version
         FROM ticket.work_tickets AS ticket LEFT JOIN training.tickets AS copy USING (ticket_id)
         WHERE ticket.published_at IS NOT NULL AND copy.version IS DISTINCT FROM ticket.version",
    ),
    (
        3,
        "SELECT ticket.title || ': access-grant knows version ' || coalesce(copy.version::text, 'none') || ' of '
             || ticket.version
         FROM ticket.work_tickets AS ticket LEFT JOIN (
             SELECT ticket_id, max(version) AS version FROM access_grant.ticket_versions GROUP BY ticket_id
         ) AS copy USING (ticket_id)
         WHERE ticket.published_at IS NOT NULL AND copy.version IS DISTINCT FROM ticket.version",
    ),
    (
        3,
        "SELECT ticket.title || ': training does not have the day ' || day.date || ' once'
         FROM ticket.work_tickets AS ticket JOIN ticket.daily_tickets AS day USING (ticket_id)
         WHERE ticket.published_at IS NOT NULL
           AND 1 <> (SELECT count(*) FROM training.days WHERE days.daily_ticket_id = day.daily_ticket_id)",
    ),
    (
        3,
        "SELECT ticket.title || ': the report has ' || coalesce(copy.status, 'nothing') || ' for ' || day.date
         FROM ticket.work_tickets AS ticket JOIN ticket.daily_tickets AS day USING (ticket_id)
         LEFT JOIN report.daily_tickets AS copy USING (daily_ticket_id)
         WHERE ticket.published_at IS NOT NULL AND (
             copy.version IS DISTINCT FROM ticket.version
             OR (copy.status = 'CANCELLED') <> (ticket.cancelled_at IS NOT NULL)
         )",
    ),
    (10, slots::ENDED),
    (10, slots::STEPS),
    (10, slots::NEWEST),
    (10, slots::EFFECTS),
];

/// A query with its places filled for these schemas.
pub(super) fn over(schemas: &[String], sql: &str) -> String {
    let all = |select: &str| {
        let each: Vec<String> =
            schemas.iter().map(|schema| select.replace("{schema}", schema)).collect();
        each.join(" UNION ALL ")
    };
    let told = all("SELECT event_id, name FROM {schema}.outbox WHERE NOT state_only");
    let jobs = all(
        "SELECT '{schema}' AS service, job, cadence, zone, last_slot, disabled_at FROM {schema}.jobs",
    );
    let runs = all(
        "SELECT '{schema}' AS service, job, slot, key, missed, started_at, finished_at, outcome FROM {schema}.job_runs",
    );
    sql.replace("{told}", &told).replace("{jobs}", &jobs).replace("{runs}", &runs)
}
