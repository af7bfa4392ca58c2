//! Publishes what the outbox holds, in its order, once. One relay leads a stream; the others stand by.

mod days;
mod ended;
mod frontier;
mod lead;
mod places;
mod publish;
mod settle;
mod state;
pub(crate) mod tail;

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Stream;
use chrono::{DateTime, Utc};
use service::{Conn, Scope, Shell, Store, StoreError, faults};
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use types::SystemClock;

use crate::bus::Bus;
use crate::halt::{Halt, Point};
use ended::Ended;
use frontier::Frontier;
use lead::{Lead, Unsent, session};
use publish::Outlet;
use settle::Sight;
use state::States;

/// Starts the relay of `context`, the one whose events are in this service's outbox. Runs until shutdown; every
/// replica starts one.
pub fn relay(shell: &Shell, store: &Store, context: &'static str) {
    let relay = Relay::new(Bus::from(shell), store.clone(), context);
    let stop = shell.tasks.token();
    shell.tasks.spawn("relay", async move { relay.run(stop).await });
}

/// Before a term is begun again that ended badly; twice as long each time. A database that was killed is back after some
/// tenths of a second.
const FIRST_WAIT: Duration = Duration::from_millis(25);

/// Polls between looks for what an operator wants sent once more.
const ASK_EVERY: u32 = 4;

/// How often and how long a relay waits.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Between looks for rows that another process wrote; those of this process wake it at once.
    pub poll: Duration,
    /// A leader that gave no sign of life for so long is replaced.
    pub idle_timeout: Duration,
    /// For the broker's confirmation of one batch; after it the outcome is unknown and is looked up.
    pub confirmation: Duration,
    /// Rows read at once, at most 1000. Up to fifteen are published one by one without waiting in between, more as one
    /// atomic batch.
    pub batch: u16,
    /// Between looks whether the stream still holds what it should.
    pub look: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            idle_timeout: Duration::from_secs(3),
            confirmation: Duration::from_secs(5),
            batch: 1000,
            look: Duration::from_secs(20),
        }
    }
}

/// How long facts are kept. The stream must not hold what the outbox can no longer rebuild, and an inbox must know
/// every event that may come once more: a fact sent again on its last day in the outbox stays in the stream for the
/// whole of `stream` from then.
#[derive(Debug, Clone)]
pub struct Retention {
    /// In the stream.
    pub stream: Duration,
    /// In the outbox, by the day they were written, in days; unsent ones stay longer.
    pub outbox_days: u16,
    /// Ids in the inbox, in days.
    pub inbox_days: u16,
}

impl Default for Retention {
    fn default() -> Self {
        Self { stream: Duration::from_hours(14 * 24), outbox_days: 16, inbox_days: 32 }
    }
}

/// One stream's publisher.
#[derive(Debug)]
pub struct Relay {
    bus: Bus,
    store: Store,
    context: &'static str,
    pace: Pace,
    retention: Retention,
    halt: Option<Halt>,
}

/// What one term of leadership reads and publishes with.
struct Tools<'a> {
    outlet: Outlet<'a>,
    states: States,
    frontier: Frontier,
    /// Commits of this process.
    changed: watch::Receiver<u64>,
}

/// A part of a backlog the stream has confirmed, that is not marked yet.
#[derive(Default)]
struct Sent {
    rows: Vec<Unsent>,
    places: Vec<Option<u64>>,
    last: u64,
}

impl Relay {
    pub fn new(bus: Bus, store: Store, context: &'static str) -> Self {
        let (pace, retention) = (Pace::default(), Retention::default());
        Self { bus, store, context, pace, retention, halt: None }
    }

    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// For tests: holds this relay at a marked point.
    #[must_use]
    pub fn halted(mut self, halt: Halt) -> Self {
        self.halt = Some(halt);
        self
    }

    /// Runs until `stop`. Dropping it is as good as killing it: nothing is lost or sent twice.
    pub async fn run(self, stop: CancellationToken) {
        let mut wait = FIRST_WAIT;
        let mut since = Instant::now();
        while !stop.is_cancelled() {
            let mut connects = self.bus.nats.connects();
            // A batch in flight is not cut off: the next look at the token comes after it was marked.
            match Box::pin(self.term(&mut connects, &stop)).await {
                Ok(()) => return,
                Err(Ended::Fenced) => tracing::info!(context = self.context, "another relay leads"),
                Err(err) => {
                    tracing::warn!(context = self.context, error = %err, "relay stopped, starting again");
                    self.measure_waiting().await;
                    wait = err.pause(wait, self.pace.poll);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.bus.nats.renewed(connects) => {}
                () = stop.cancelled() => return,
            }
            let lasted = since.elapsed() > self.pace.poll * 20;
            wait = if lasted { FIRST_WAIT } else { (wait * 2).min(self.pace.poll * 8) };
            since = Instant::now();
        }
    }

    /// One term of leadership: from taking the lead to losing it. `connects` becomes that of the lead: a connection that
    /// was made while it was waited for is no reason to take it again at once.
    async fn term(&self, connects: &mut u64, stop: &CancellationToken) -> Result<(), Ended> {
        let Self { store, bus, context, pace, retention, .. } = self;
        // What waits is the leader's to tell.
        let stands_by = || self.tell_waiting(None, 0);
        let taking = Lead::take(store, &bus.nats, context, pace, stop, stands_by);
        let Some(mut lead) = taking.await? else { return Ok(()) };
        let leading = async {
            loop {
                *connects = lead.connects;
                match self.lead(&mut lead, stop).await {
                    Err(Ended::Renewed) if stop.is_cancelled() => return Ok(()),
                    Err(renewed @ Ended::Renewed) => tracing::info!(context, "{renewed}"),
                    ended => return ended,
                }
                lead.connects = bus.nats.connects();
            }
        };
        let ended = tokio::select! {
            ended = leading => ended,
            never = days::keep(store, retention) => match never {},
        };
        if ended.is_ok() {
            lead.resign().await;
        }
        ended
    }

    /// Publishes from what the stream holds now, until shutdown or until there is a reason to look anew.
    async fn lead(&self, lead: &mut Lead, stop: &CancellationToken) -> Result<(), Ended> {
        let stream = self.stream(lead).await?;
        let Pace { batch, look, confirmation, .. } = self.pace;
        let (store, halt, max_age) = (&self.store, self.halt.as_ref(), self.retention.stream);
        let sight = Sight { store, stream: &stream, max_age, batch, halt };
        let mut tools = Tools {
            outlet: Outlet::new(&self.bus, self.context, confirmation),
            states: States::new(self.halt.clone()),
            frontier: Frontier::default(),
            changed: self.store.changed(),
        };
        let mut looked: Option<Instant> = None;
        tools.frontier.look_at_all();
        let mut asked = Instant::now();
        while !stop.is_cancelled() {
            if looked.is_none_or(|looked| looked.elapsed() > look) {
                tools.states.look(&self.bus, lead).await?;
                let whole = tokio::select! {
                    settled = sight.settle(lead, &mut tools.outlet, &mut tools.states) => settled?,
                    // A long rebuild is left to the next leader, as by one that was killed.
                    () = stop.cancelled() => return Ok(()),
                };
                if whole {
                    tools.frontier.look_at_all_now_and_then();
                } else {
                    tools.frontier.look_at_all();
                }
                looked = Some(Instant::now());
            }
            if asked.elapsed() >= self.pace.poll * ASK_EVERY {
                // Half a batch, so that new facts find room beside those sent once more.
                if lead.replay_next(batch.div_ceil(2)).await? > 0 {
                    tools.frontier.look_at_all();
                } else {
                    asked = Instant::now();
                }
            }
            tools.changed.mark_unchanged();
            let rows = tools.frontier.read(&mut lead.conn, self.context, batch).await?;
            self.tell_waiting(rows.first().map(|row| row.created_at), rows.len());
            if rows.is_empty() {
                lead.hold(self.wait(&mut tools.changed, stop)).await?;
                continue;
            }
            if !self.drain(lead, &mut tools, rows, stop).await? {
                looked = None;
                tools.frontier.look_at_all();
                // A broker that refuses everything is not asked without a pause.
                tokio::time::sleep(self.pace.poll).await;
            }
        }
        Ok(())
    }

    async fn wait(&self, changed: &mut watch::Receiver<u64>, stop: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(self.pace.poll), if !faults::mistake("wake-without-poll") => {}
            // Never closes: the store outlives the relay.
            _ = changed.changed() => {}
            () = stop.cancelled() => {}
        }
    }

    /// The stream as it should be. A missing one is made so that what it held can get its places back.
    async fn stream(&self, lead: &mut Lead) -> Result<Stream, Ended> {
        let max_age = self.retention.stream;
        let keeping = self.bus.keep_stream(self.context, max_age);
        if let Some(stream) = lead.hold(keeping).await?.map_err(Ended::broker)? {
            return Ok(stream);
        }
        let first = lead.lowest_place().await?;
        let making = self.bus.make_stream(self.context, max_age, first);
        lead.hold(making).await?.map_err(Ended::broker)
    }

    /// Publishes `rows` and what follows, while reads come back full or this process goes on committing: what was
    /// published is marked while the next is on its way, and of a backlog that which follows is read besides. `false`
    /// when it is not known what the stream holds now.
    async fn drain(
        &self,
        lead: &mut Lead,
        tools: &mut Tools<'_>,
        mut rows: Vec<Unsent>,
        stop: &CancellationToken,
    ) -> Result<bool, Ended> {
        let Tools { outlet, states, frontier, changed } = tools;
        let mut sent = Sent { last: lead.last_stream_seq, ..Sent::default() };
        let mut aside: Option<Conn> = None;
        let begun = Instant::now();
        let known = loop {
            let facts: Vec<&Unsent> = rows.iter().filter(|row| !row.state_only).collect();
            if !facts.is_empty() {
                Halt::pass(self.halt.as_ref(), Point::BeforePublish).await;
            }
            // Nor must a backlog that never ends.
            let reads_on = !stop.is_cancelled() && begun.elapsed() < self.pace.look;
            let backlog = rows.len() >= usize::from(self.pace.batch) && reads_on;
            let (last, published) = (sent.last, Notify::new());
            let working = async {
                let outcome = tokio::join!(outlet.publish(last, &facts), async {
                    if backlog { self.read_on(&mut aside, frontier).await } else { Ok(vec![]) }
                });
                published.notify_one();
                outcome
            };
            let marking = async {
                self.finish(lead, states, &sent).await?;
                lead.hold(published.notified()).await
            };
            let ((confirmed, next), marked) = tokio::join!(working, marking);
            let known = confirmed == facts.len();
            marked?;
            sent = confirm(rows, confirmed, last);
            Halt::pass(self.halt.as_ref(), Point::BeforeMark).await;
            rows = next?;
            // Commits that never cease must not keep it from the stream and from what an operator asked for.
            let goes_on = known && !stop.is_cancelled() && begun.elapsed() < self.pace.poll;
            if rows.is_empty() && goes_on && changed.has_changed().is_ok_and(|has| has) {
                changed.mark_unchanged();
                rows = frontier.read(&mut lead.conn, self.context, self.pace.batch).await?;
            }
            if !known || rows.is_empty() {
                break known;
            }
            self.tell_waiting(rows.first().map(|row| row.created_at), rows.len());
        };
        self.finish(lead, states, &sent).await?;
        Ok(known)
    }

    /// The next rows of a backlog, in a session of their own: the lead's is busy with marks.
    async fn read_on(
        &self,
        aside: &mut Option<Conn>,
        frontier: &mut Frontier,
    ) -> Result<Vec<Unsent>, Ended> {
        let conn = match aside {
            Some(conn) => conn,
            None => aside.insert(session(&self.store, &self.pace).await?),
        };
        frontier.read(conn, self.context, self.pace.batch).await
    }

    async fn finish(&self, lead: &mut Lead, states: &mut States, sent: &Sent) -> Result<(), Ended> {
        if sent.rows.is_empty() {
            return Ok(());
        }
        states.publish(lead, &sent.rows).await?;
        lead.mark(&sent.rows, &sent.places, sent.last).await?;
        let facts = sent.places.iter().flatten().count();
        metrics::counter!("events_published_total", "context" => self.context)
            .increment(facts as u64);
        Ok(())
    }

    /// Between terms nothing is read, and that is when the oldest grows old.
    async fn measure_waiting(&self) {
        let oldest = async {
            let mut tx = self.store.begin(Scope::System("measure what waits")).await?;
            let oldest = sqlx::query_scalar(
                "SELECT created_at FROM outbox WHERE sent_at IS NULL AND context = $1 ORDER BY seq LIMIT 1",
            );
            Ok::<_, StoreError>(oldest.bind(self.context).fetch_optional(&mut *tx).await?)
        };
        match oldest.await {
            Ok(oldest) => self.tell_waiting(oldest, usize::from(oldest.is_some())),
            Err(err) => tracing::debug!(error = %err, "what waits is not known"),
        }
    }

    fn tell_waiting(&self, oldest: Option<DateTime<Utc>>, rows: usize) {
        let age = oldest.map(|at| SystemClock::system().now() - at);
        let age = age.and_then(|age| age.to_std().ok()).unwrap_or_default();
        metrics::gauge!("outbox_oldest_seconds", "context" => self.context).set(age.as_secs_f64());
        metrics::gauge!("outbox_unsent", "context" => self.context)
            .set(f64::from(u32::try_from(rows).unwrap_or(u32::MAX)));
    }
}

/// The rows up to the first that is not confirmed, with the places after `last` for the facts among them.
fn confirm(mut rows: Vec<Unsent>, confirmed: usize, mut last: u64) -> Sent {
    let end = last + confirmed as u64;
    let mut places = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.state_only {
            places.push(None);
            continue;
        }
        if last == end {
            break;
        }
        last += 1;
        places.push(Some(last));
    }
    rows.truncate(places.len());
    Sent { rows, places, last }
}
