//! A TCP proxy that breaks connections as networks do. What is random comes from its seed, so a run can be repeated.

mod line;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is wrong with a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetFault {
    /// Nothing is.
    None,
    /// Each way takes so long, give or take a quarter.
    Latency(Duration),
    /// Bytes a second, each way.
    Rate(u32),
    /// Every connection is reset once it has carried some more bytes, up to so many; new ones too.
    Reset { within: u32 },
    /// Requests arrive, answers do not. Whom it hit is reset when it is over.
    BlackHole,
    /// The other end of each open connection is gone and this end is not told, until it is over. New connections work.
    HalfOpen,
    /// Nothing passes; connecting seems to work. Whom it hit is reset when it is over.
    Partition,
}

/// Listens on a port of 127.0.0.1 and passes everything on to one address. Dropping it closes everything.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    faults: watch::Sender<NetFault>,
    torn: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A healthy way to `target`, which need not be there yet: connections are refused while it is not.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(target: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let faults = watch::Sender::new(NetFault::None);
        let torn = Arc::<AtomicU64>::default();
        let lines = line::accept(listener, target, faults.clone(), Arc::clone(&torn), seed);
        #[expect(clippy::disallowed_methods, reason = "ends when the proxy is dropped")]
        let accepting = tokio::spawn(lines);
        Self { port, faults, torn, accepting }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections have lost bytes so far.
    pub fn torn(&self) -> u64 {
        self.torn.load(Ordering::Relaxed)
    }

    /// From now on this is wrong, with open connections too; [`NetFault::None`] heals.
    pub fn set(&self, fault: NetFault) {
        self.faults.send_replace(fault);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
