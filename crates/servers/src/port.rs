//! Ports on loopback.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};

/// Below the ports that systems give to outgoing connections: one of those could take a server's port between its end
/// and its next start.
const PORTS: Range<u16> = 10_000..30_000;
const TRIES: u32 = 1000;

/// A port nobody listens on now. Another process may take it before its user does.
pub fn free_port() -> Result<u16> {
    Ok(reserve()?.local_addr().context("find a free port")?.port())
}

/// Holds a free port until it is dropped, so that several are different.
pub fn reserve() -> Result<TcpListener> {
    let random = RandomState::new();
    (0..TRIES)
        .find_map(|attempt| {
            let offset = random.hash_one(attempt) % u64::from(PORTS.end - PORTS.start);
            let port = PORTS.start + u16::try_from(offset).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
        })
        .context("find a free port")
}

/// Whether something on this machine accepts connections on the port.
pub fn is_listening(port: u16) -> bool {
    connect(port).is_ok()
}

pub(crate) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(
        &SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        Duration::from_secs(1),
    )?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    Ok(stream)
}
