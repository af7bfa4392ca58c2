//! One connection through a proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::NetFault;

const CHUNK: usize = 16 * 1024;
/// Chunks under way at once: what a slow line holds.
const IN_FLIGHT: usize = 64;
const UNDRAWN: i64 = i64::MAX;

pub(super) async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    faults: watch::Sender<NetFault>,
    torn: Arc<AtomicU64>,
    seed: u64,
) {
    let mut connections = JoinSet::new();
    for number in 0.. {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                let line = Line::new(faults.subscribe(), Arc::clone(&torn), seed ^ number);
                connections.spawn(line.carry(client, target));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The connection must end as if its cable was cut: with a reset, nothing flushed.
struct Cut;

struct Line {
    faults: watch::Receiver<NetFault>,
    random: StdRng,
    /// Bytes were lost on the way: whatever came after them would be nonsense.
    torn: AtomicBool,
    all_torn: Arc<AtomicU64>,
    /// Bytes it still carries before it is reset; drawn when the fault begins.
    left: AtomicI64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Answer,
}

enum Fate {
    Pass { after: Duration, bytes_per_second: Option<u32> },
    Lost,
    Cut,
}

impl Line {
    fn new(faults: watch::Receiver<NetFault>, all_torn: Arc<AtomicU64>, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self {
            faults,
            random,
            torn: AtomicBool::new(false),
            all_torn,
            left: AtomicI64::new(UNDRAWN),
        }
    }

    async fn carry(mut self, mut client: TcpStream, target: SocketAddr) {
        // Somebody who connects during a partition waits; afterwards there is nobody who knows of the connection.
        let mut faults = self.faults.clone();
        if *faults.borrow() == NetFault::Partition {
            faults.wait_for(|fault| *fault != NetFault::Partition).await.ok();
            reset(client);
            return;
        }
        let Ok(mut server) = TcpStream::connect(target).await else { return reset(client) };
        client.set_nodelay(true).ok();
        server.set_nodelay(true).ok();
        if self.pump_both(&mut client, &mut server).await.is_ok() {
            return;
        }
        let half_open = *self.faults.borrow() == NetFault::HalfOpen;
        reset(server);
        if half_open {
            faults.wait_for(|fault| *fault != NetFault::HalfOpen).await.ok();
        }
        reset(client);
    }

    /// Until both ways are closed in order, or the connection must be cut.
    async fn pump_both(
        &mut self,
        client: &mut TcpStream,
        server: &mut TcpStream,
    ) -> Result<(), Cut> {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let seeds = (self.random.random(), self.random.random());
        let both = async {
            tokio::try_join!(
                self.pump(Way::Request, from_client, to_server, StdRng::seed_from_u64(seeds.0)),
                self.pump(Way::Answer, from_server, to_client, StdRng::seed_from_u64(seeds.1)),
            )
        };
        tokio::select! {
            ended = both => ended.map(|_| ()),
            cut = self.struck() => Err(cut),
        }
    }

    /// Waits for what ends a connection though nobody sends.
    async fn struck(&self) -> Cut {
        let mut faults = self.faults.clone();
        // What was wrong when the connection was made has not hit it.
        faults.mark_unchanged();
        loop {
            if faults.changed().await.is_err() {
                return Cut;
            }
            let fault = *faults.borrow_and_update();
            self.left.store(UNDRAWN, Ordering::Relaxed);
            let over = !matches!(fault, NetFault::BlackHole | NetFault::Partition);
            if fault == NetFault::HalfOpen || (over && self.torn.load(Ordering::Relaxed)) {
                return Cut;
            }
        }
    }

    async fn pump(
        &self,
        way: Way,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        mut random: StdRng,
    ) -> Result<(), Cut> {
        let (sender, mut queue) = mpsc::channel::<(Instant, Option<u32>, Vec<u8>)>(IN_FLIGHT);
        let reading = async move {
            let mut buffer = vec![0; CHUNK];
            loop {
                let read = from.read(&mut buffer).await.map_err(|_| Cut)?;
                if read == 0 {
                    // A closed end is news that does not get through either.
                    return match self.fate(way, 0, &mut random) {
                        Fate::Pass { .. } => Ok(()),
                        Fate::Lost => std::future::pending().await,
                        Fate::Cut => Err(Cut),
                    };
                }
                match self.fate(way, read, &mut random) {
                    Fate::Pass { after, bytes_per_second } => {
                        let chunk = buffer[..read].to_vec();
                        let due = Instant::now() + after;
                        sender.send((due, bytes_per_second, chunk)).await.map_err(|_| Cut)?;
                    }
                    Fate::Lost => {
                        if !self.torn.swap(true, Ordering::Relaxed) {
                            self.all_torn.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Fate::Cut => return Err(Cut),
                }
            }
        };
        let mut faults = self.faults.clone();
        let writing = async move {
            while let Some((due, bytes_per_second, chunk)) = queue.recv().await {
                let under_way = async {
                    tokio::time::sleep_until(due).await;
                    if let Some(rate) = bytes_per_second {
                        let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
                        tokio::time::sleep(Duration::from_secs(length.into()) / rate.max(1)).await;
                    }
                };
                tokio::select! {
                    () = under_way => {}
                    // On a way that is well what was under way is there.
                    Ok(_) = faults.wait_for(|fault| *fault == NetFault::None) => {}
                }
                to.write_all(&chunk).await.map_err(|_| Cut)?;
            }
            // The other side may be gone already.
            to.shutdown().await.ok();
            Ok(())
        };
        tokio::try_join!(reading, writing).map(|_| ())
    }

    fn fate(&self, way: Way, length: usize, random: &mut StdRng) -> Fate {
        let pass = Fate::Pass { after: Duration::ZERO, bytes_per_second: None };
        match *self.faults.borrow() {
            NetFault::Partition => Fate::Lost,
            NetFault::BlackHole if way == Way::Answer => Fate::Lost,
            NetFault::None | NetFault::BlackHole | NetFault::HalfOpen => pass,
            NetFault::Latency(latency) => Fate::Pass {
                after: latency.mul_f64(random.random_range(0.75..1.25)),
                bytes_per_second: None,
            },
            NetFault::Rate(rate) => {
                Fate::Pass { after: Duration::ZERO, bytes_per_second: Some(rate) }
            }
            NetFault::Reset { within } => {
                let length = i64::try_from(length).unwrap_or(i64::MAX);
                let fresh = random.random_range(0..=i64::from(within));
                let left = &self.left;
                // Drawn by the first chunk that meets the fault.
                left.compare_exchange(UNDRAWN, fresh, Ordering::Relaxed, Ordering::Relaxed).ok();
                let before = left.fetch_sub(length, Ordering::Relaxed);
                if before <= length { Fate::Cut } else { pass }
            }
        }
    }
}

/// Closes at once: the other side reads an error, not an end.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().ok();
    drop(stream);
}
