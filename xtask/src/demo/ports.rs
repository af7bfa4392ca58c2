//! The demo's ports, counted from one.

use std::fmt;

use anyhow::{Result, bail};

/// The password of the demo's accounts.
pub(crate) const DEMO_PASSWORD: &str = "Sitepass-demo-1";

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports(u16);

impl Ports {
    /// `base` + 20 must still be a port.
    pub(crate) fn from(base: u16) -> Ports {
        Ports(base)
    }

    pub(crate) fn gateway(self) -> u16 {
        self.0
    }

    pub(crate) fn device(self) -> u16 {
        self.0 + 1
    }

    pub(crate) fn sandbox(self) -> u16 {
        self.0 + 10
    }

    pub(crate) fn metrics(self) -> u16 {
        self.0 + 20
    }

    pub(crate) fn check_free(self) -> Result<()> {
        for port in [self.gateway(), self.device(), self.sandbox(), self.metrics()] {
            if servers::is_listening(port) {
                bail!("port {port} is taken: choose others with --base-port");
            }
        }
        Ok(())
    }

    pub(crate) fn settings(self) -> Vec<(String, String)> {
        let listen =
            |key: &str, port| (format!("SITEPASS_{key}_LISTEN"), format!("127.0.0.1:{port}"));
        vec![
            listen("GATEWAY", self.gateway()),
            listen("DEVICE", self.device()),
            listen("SANDBOX", self.sandbox()),
            listen("ADMIN", self.metrics()),
            ("SITEPASS_PUBLIC_URL".to_owned(), url(self.gateway())),
            ("SITEPASS_FIRST_ADMIN_PASSWORD".to_owned(), DEMO_PASSWORD.to_owned()),
        ]
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gateway = url(self.gateway());
        writeln!(f, "  gateway  {gateway}  (documentation {gateway}/docs)")?;
        writeln!(f, "  devices  {}", url(self.device()))?;
        writeln!(f, "  sandbox  {}", url(self.sandbox()))?;
        write!(f, "  metrics  {}/metrics", url(self.metrics()))
    }
}

pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_before_anything_starts() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let refusal = Ports::from(port).check_free().unwrap_err();
        assert!(refusal.to_string().contains(&format!("port {port} is taken")), "{refusal}");
    }
}
