use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// A port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    pub address: SocketAddr,
    #[source]
    pub source: io::Error,
}

/// Opens a port. A service does so before it starts anything that would have to be stopped again.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, source })
}

/// Opens a port where one is configured.
pub async fn listen_if(address: Option<SocketAddr>) -> Result<Option<TcpListener>, ListenError> {
    match address {
        None => Ok(None),
        Some(address) => listen(address).await.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::{listen, listen_if};

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        assert!(listen_if(None).await.unwrap().is_none());
        let first = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let taken = first.local_addr().unwrap();
        let refused = listen_if(Some(taken)).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("cannot listen on {taken}"));
    }
}
