//! What an installation will be, before it runs: ports, settings, and where the ways between processes lead.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use fleet::Urls;

use crate::installation::{Backing, Installation};
use crate::process::Process;

/// Services with a gRPC server.
pub const SERVICES: [&str; 8] = [
    "directory",
    "ticket",
    "training",
    "notification",
    "access-grant",
    "device",
    "audit",
    "report",
];

/// An installation to be started.
#[derive(Debug, Clone)]
pub struct Blueprint {
    settings: BTreeMap<String, String>,
    processes: Vec<Planned>,
    gateway: SocketAddr,
    device: SocketAddr,
    sandbox: SocketAddr,
    grpc: BTreeMap<&'static str, SocketAddr>,
}

#[derive(Debug, Clone)]
struct Planned {
    targets: String,
    admin: SocketAddr,
    own: BTreeMap<String, String>,
}

impl Blueprint {
    /// One process for each list of targets. Alone, it reaches its services without ports.
    ///
    /// # Panics
    /// When there are no free ports.
    pub fn new(backing: &Backing, split: &[&str]) -> Self {
        let mut free = free_addresses(3 + SERVICES.len() + split.len()).into_iter();
        let mut next = || free.next().expect("as many as were asked for");
        let (gateway, device, sandbox) = (next(), next(), next());
        let grpc: BTreeMap<_, _> = SERVICES.into_iter().map(|service| (service, next())).collect();
        let processes = split
            .iter()
            .map(|targets| Planned {
                targets: (*targets).to_owned(),
                admin: next(),
                own: BTreeMap::new(),
            })
            .collect();
        let mut blueprint =
            Self { settings: BTreeMap::new(), processes, gateway, device, sandbox, grpc };
        for (key, value) in [
            ("SITEPASS_DATABASE_URL", backing.database_url.clone()),
            ("SITEPASS_NATS_URL", backing.nats_url.clone()),
            ("SITEPASS_STREAM_PREFIX", backing.stream_prefix.clone()),
            ("SITEPASS_GATEWAY_LISTEN", gateway.to_string()),
            ("SITEPASS_DEVICE_LISTEN", device.to_string()),
            ("SITEPASS_SANDBOX_LISTEN", sandbox.to_string()),
            ("SITEPASS_PUBLIC_URL", url(gateway)),
            ("SITEPASS_BLOB_DIR", blobs(gateway).display().to_string()),
            ("SITEPASS_AUDIT_CHECKPOINT_DIR", checkpoints(gateway).display().to_string()),
            ("SITEPASS_FIRST_ADMIN_PASSWORD", fleet::PASSWORD.to_owned()),
            ("SITEPASS_DOOR_WEBHOOK_SECRET", format!("whsec_{}", "MDEy".repeat(11))),
            ("SITEPASS_LOG", log_filter()),
        ] {
            blueprint.set(key, value);
        }
        for key in ["CALLER", "TOKEN", "VAULT", "BLOB", "AUDIT_CHECKPOINT"] {
            blueprint.set(&format!("SITEPASS_{key}_SECRET"), format!("{key}-").repeat(16));
        }
        if split.len() > 1 {
            for (service, address) in blueprint.grpc.clone() {
                blueprint.set(&grpc_key(service, "LISTEN"), address.to_string());
                blueprint.set(&grpc_key(service, "URL"), url(address));
            }
        }
        blueprint
    }

    /// What every process is told.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.settings.insert(key.to_owned(), value.into());
    }

    /// What one process alone is told.
    pub fn set_for(&mut self, process: usize, key: &str, value: impl Into<String>) {
        self.processes[process].own.insert(key.to_owned(), value.into());
    }

    /// How many processes there will be, and what each runs.
    pub fn targets(&self) -> Vec<String> {
        self.processes.iter().map(|process| process.targets.clone()).collect()
    }

    /// Where a service listens for the others.
    pub fn grpc(&self, service: &str) -> SocketAddr {
        self.grpc[service]
    }

    /// The others reach the service here: at a proxy before it.
    pub fn reach(&mut self, service: &str, port: u16) {
        self.set(&grpc_key(service, "URL"), url(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    }

    /// One process's replica of the service listens on a port of its own, where nobody calls it.
    pub fn apart(&mut self, process: usize, service: &str) {
        let address = free_addresses(1)[0].to_string();
        self.set_for(process, &grpc_key(service, "LISTEN"), address);
    }

    /// Starts every process, in order, and waits until all are ready.
    ///
    /// # Panics
    /// When one is not ready within 20 seconds.
    pub async fn start(self) -> Installation {
        // A port is used again by later runs; what an installation before proved of its log is none of this one's.
        std::fs::remove_dir_all(checkpoints(self.gateway)).ok();
        let settings: Vec<_> = self.settings.into_iter().collect();
        let urls = Urls {
            gateway: url(self.gateway),
            device: url(self.device),
            sandbox: url(self.sandbox),
        };
        let blobs = blobs(self.gateway);
        let processes = self
            .processes
            .into_iter()
            .map(|Planned { targets, admin, own }| {
                let log = log_path(admin, &targets);
                Process::start(targets, admin, log, &settings, own.into_iter().collect())
            })
            .collect();
        let installation = Installation { processes, settings, urls, blobs };
        installation.ready().await;
        installation
    }
}

/// The binary beside the tests: `target/<profile>/sitepass`.
pub(crate) fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own.parent().expect("a program is in a folder");
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    folder.join("sitepass")
}

fn grpc_key(service: &str, what: &str) -> String {
    format!("SITEPASS_{}_GRPC_{what}", service.replace('-', "_").to_uppercase())
}

fn log_path(admin: SocketAddr, targets: &str) -> PathBuf {
    let folder = binary().parent().unwrap_or(Path::new(".")).join("e2e-logs");
    std::fs::create_dir_all(&folder).expect("a folder for logs");
    folder.join(format!("{}-{}.log", targets.replace(',', "+"), admin.port()))
}

/// All that our own crates say, and what matters of the others.
fn log_filter() -> String {
    let shared = ["gateway", "sandbox", "service", "events", "schedule", "wechat"];
    let ours =
        SERVICES.iter().chain(&shared).map(|name| format!(",{}=debug", name.replace('-', "_")));
    format!("info{}", ours.collect::<String>())
}

fn blobs(gateway: SocketAddr) -> PathBuf {
    std::env::temp_dir().join(format!("sitepass-e2e-{}", gateway.port()))
}

fn checkpoints(gateway: SocketAddr) -> PathBuf {
    blobs(gateway).with_extension("checkpoints")
}

/// Addresses nobody listens on now, all different.
fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let held: Vec<TcpListener> =
        (0..count).map(|_| servers::reserve().expect("a free port")).collect();
    held.iter().map(|listener| listener.local_addr().expect("a bound port")).collect()
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
