//! The loop around the broker's durable consumer; made anew whenever the stream or the consumer went away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_nats::jetstream::Message;
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use service::faults;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::hand::{Batch, Hand, Held};
use super::prime::prime;
use super::pull::{Lost, Pull};
use super::settle::{Verdict, alone, park, repeats, together};
use super::watch::{Pulse, tell_stuck, watch};
use super::{Consumer, Handler, durable};
use crate::delivery::Delivery;
use crate::halt::{Halt, Point};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A stream that is not there yet, or whose owner has not told everything, is told of after so long.
const NOT_THERE: Duration = Duration::from_secs(30);
const UNFOLLOWED: &str =
    "the stream is not there, or its owner has not told everything; the log says why";
const UNDELIVERED: &str = "nothing was delivered though events wait; made anew at the broker";
/// Of what is in hand, within one acknowledgement wait.
const SIGNS: u32 = 3;
/// Looked through for repeats at once, or what there is room for ([`Consumer::room`]), also for a handler that takes fewer
/// in one transaction: a stream that comes again whole must not cost it a transaction each.
const LOOKED_THROUGH: usize = 100;

pub(super) async fn follow<H: Handler>(consumer: &Consumer<H>, stop: &CancellationToken) {
    let durable = consumer.handler.durable();
    let mut wait = FIRST_WAIT;
    let (mut stuck, mut since, mut told) = (0, Instant::now(), false);
    let nats = &consumer.bus.nats;
    while !stop.is_cancelled() {
        let connects = nats.connects();
        let attended = tokio::select! {
            attended = attend(consumer, &mut stuck, stop).boxed() => attended,
            () = cut_off(consumer, stop) => return,
        };
        match attended {
            // What ended is over, and the broker is there again.
            Ok(()) if nats.connects() != connects => {
                since = Instant::now();
                continue;
            }
            Ok(()) => (wait, since, told) = (FIRST_WAIT, Instant::now(), false),
            Err(err) => {
                // A broker that is away, or an owner that starts beside it, is nothing to tell of.
                if !nats.is_connected() {
                    since = Instant::now();
                }
                if since.elapsed() > NOT_THERE {
                    tracing::warn!(durable, error = %err, "nothing can be followed");
                } else {
                    tracing::debug!(durable, error = %err, "the stream is not there yet");
                }
                if !told && since.elapsed() > consumer.patience.unfollowed {
                    told = tell_stuck(consumer, Some(UNFOLLOWED)).await;
                }
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
        stop.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
}

/// Waits until shutdown finds no connection to the broker. There is nobody to give back to what is in hand then, and who
/// tells the broker something may wait for the connection without end: the client has room for so much.
async fn cut_off<H: Handler>(consumer: &Consumer<H>, stop: &CancellationToken) {
    stop.cancelled().await;
    while consumer.bus.nats.is_connected() {
        tokio::time::sleep(consumer.patience.heartbeat).await;
    }
}

/// Follows the stream until shutdown or until the consumer has to be looked for again. `stuck` is how often in a row
/// nothing came though events wait.
async fn attend<H: Handler>(
    consumer: &Consumer<H>,
    stuck: &mut u32,
    stop: &CancellationToken,
) -> Result<(), async_nats::Error> {
    let durable = consumer.handler.durable();
    Box::pin(prime(consumer, stop)).await?;
    let (stream, mut broker) = durable::attach(consumer).await?;
    // A new request did not help: it is the consumer.
    if *stuck > 1 {
        tracing::error!(
            durable,
            "nothing is delivered though events wait, making the consumer anew"
        );
        broker = durable::renew(consumer, &stream).await?;
        tell_stuck(consumer, Some(UNDELIVERED)).await;
        *stuck = 0;
    }
    let pull = Pull::open(&consumer.bus, broker.clone(), consumer.patience.heartbeat).await?;
    tracing::debug!(durable, "following");
    let (pulse, ending) = (Pulse::default(), stop.child_token());
    let listening = async {
        let lost = listen(consumer, pull, &pulse, &ending).await;
        ending.cancel();
        lost
    };
    let watching = async {
        let watching = watch(consumer, &stream, &broker, &pulse);
        // Nor is an answer awaited that was to come on a connection which is no more.
        let silent = ending.run_until_cancelled(watching).await.is_some();
        ending.cancel();
        silent
    };
    let (lost, silent) = tokio::join!(listening, watching);
    if let Some(lost) = lost {
        tracing::debug!(durable, error = %lost, "looking for the consumer again");
    }
    if silent {
        *stuck += 1;
    } else if pulse.received.load(Ordering::Relaxed) > 0 {
        *stuck = 0;
    }
    Ok(())
}

/// Takes in what comes. What is at hand when a lane becomes idle is its next batch, so a batch grows while the one
/// before it commits, and nothing waits to fill one.
async fn listen<H: Handler>(
    consumer: &Consumer<H>,
    mut pull: Pull,
    pulse: &Pulse,
    stop: &CancellationToken,
) -> Option<Lost> {
    let (room, most) = (consumer.room(), consumer.handler.batch().max(LOOKED_THROUGH));
    let mut hand = Hand::new(consumer.handler.lanes());
    let mut work: FuturesUnordered<BoxFuture<'_, (usize, Settled)>> = FuturesUnordered::new();
    let mut answers: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    let mut signs = tokio::time::interval(consumer.patience.ack_wait / SIGNS);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let lost = loop {
        if let Err(lost) = gather(&mut pull, &mut hand, pulse) {
            break Some(lost);
        }
        while let Some((lane, batch)) = hand.start(most) {
            work.push(async move { (lane, finish(consumer, batch, stop).await) }.boxed());
        }
        pulse.held.store(hand.len(), Ordering::Relaxed);
        if let Err(lost) = pull.ask(hand.len(), room).await {
            break Some(lost);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break None,
            Some((lane, settled)) = work.next() => {
                hand.done(lane);
                answers.extend(settled.map(|(batch, verdict)| answer(consumer, batch, verdict).boxed()));
            }
            Some(()) = answers.next() => {}
            _ = signs.tick() => hand.sign().await,
            message = pull.next() => match message {
                Ok(message) => message.into_iter().for_each(|message| take_up(message, &mut hand, pulse)),
                Err(lost) => break Some(lost),
            },
        }
    };
    for message in pull.close().await {
        hand.put(message);
    }
    hand.give_back().await;
    // Batches at work are finished; signs keep them ours meanwhile.
    loop {
        tokio::select! {
            biased;
            done = work.next() => match done {
                Some((lane, settled)) => {
                    hand.done(lane);
                    answers.extend(settled.map(|(batch, verdict)| answer(consumer, batch, verdict).boxed()));
                }
                None => break,
            },
            _ = signs.tick() => hand.sign().await,
        }
    }
    while answers.next().await.is_some() {}
    lost
}

fn gather(pull: &mut Pull, hand: &mut Hand, pulse: &Pulse) -> Result<(), Lost> {
    while let Some(message) = pull.ready()? {
        take_up(message, hand, pulse);
    }
    Ok(())
}

fn take_up(message: Message, hand: &mut Hand, pulse: &Pulse) {
    pulse.received.fetch_add(1, Ordering::Relaxed);
    hand.put(message);
}

/// A batch whose messages all have the same answer, and are still to get it.
type Settled = Option<(Arc<Batch>, Verdict)>;

/// Takes a batch in. Where that was done together the answers are left to the caller, so that the lane's next batch
/// does not wait for them; otherwise each message has its answer.
async fn finish<H: Handler>(
    consumer: &Consumer<H>,
    batch: Arc<Batch>,
    stop: &CancellationToken,
) -> Settled {
    let deliveries = match (&batch.deliveries, batch.held.as_slice()) {
        (Ok(deliveries), _) => deliveries,
        (Err(problem), held) => {
            for held in held {
                held.answer(park(consumer, held.sent(), "unreadable", problem, stop).await).await;
            }
            return None;
        }
    };
    if faults::mistake("ack-before-commit") {
        answer(consumer, Arc::clone(&batch), Verdict::Taken).await;
    }
    let (many, most) = (deliveries.len() > 1, consumer.handler.batch().max(1));
    let fits = deliveries.len() <= most;
    if many
        && fits
        && let Some(verdict) = together(consumer, deliveries, stop).await
    {
        return Some((Arc::clone(&batch), verdict));
    }
    let events = deliveries.iter().zip(&batch.held);
    if fits {
        one_by_one(consumer, &events.collect::<Vec<_>>(), stop).await;
        return None;
    }
    let repeats = repeats(consumer, deliveries).await;
    let (known, new): (Vec<_>, Vec<_>) =
        events.partition(|(delivery, _)| repeats.contains(&delivery.id));
    for (_, held) in known {
        tell(consumer, held, Verdict::Taken).await;
    }
    for part in new.chunks(most) {
        take_part(consumer, part, stop).await;
    }
    None
}

/// Takes in as much of a larger batch as one transaction may hold, and answers it.
async fn take_part<H: Handler>(
    consumer: &Consumer<H>,
    part: &[(&Delivery, &Held)],
    stop: &CancellationToken,
) {
    if part.len() > 1 && !stop.is_cancelled() {
        let deliveries: Vec<Delivery> =
            part.iter().map(|(delivery, _)| (*delivery).clone()).collect();
        if let Some(verdict) = together(consumer, &deliveries, stop).await {
            for (_, held) in part {
                tell(consumer, held, verdict).await;
            }
            return;
        }
    }
    one_by_one(consumer, part, stop).await;
}

/// Takes each in by itself and answers it. What shutdown comes before is given back.
async fn one_by_one<H: Handler>(
    consumer: &Consumer<H>,
    events: &[(&Delivery, &Held)],
    stop: &CancellationToken,
) {
    for (delivery, held) in events {
        let verdict = if stop.is_cancelled() {
            Verdict::Untouched
        } else {
            alone(consumer, delivery, held.sent(), stop).await
        };
        tell(consumer, held, verdict).await;
    }
}

async fn tell<H: Handler>(consumer: &Consumer<H>, held: &Held, verdict: Verdict) {
    if verdict == Verdict::Taken {
        Halt::pass(consumer.halt.as_ref(), Point::BeforeAck).await;
    }
    held.answer(verdict).await;
}

async fn answer<H: Handler>(consumer: &Consumer<H>, batch: Arc<Batch>, verdict: Verdict) {
    if verdict == Verdict::Taken {
        Halt::pass(consumer.halt.as_ref(), Point::BeforeAck).await;
    }
    for held in &batch.held {
        held.answer(verdict).await;
    }
}
