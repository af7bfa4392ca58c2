use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fleet::Urls;
use servers::{Signal, send};
use test_support::{Database, Nats, eventually};

/// Servers an installation runs on.
#[derive(Debug, Clone)]
pub struct Backing {
    pub database_url: String,
    pub nats_url: String,
    pub stream_prefix: String,
}

impl Backing {
    /// The run's shared servers: a fresh database, a prefix of its own.
    pub async fn shared() -> Self {
        let (database, nats) = tokio::join!(Database::create(), Nats::connect());
        #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
        let nats_url = std::env::var("SITEPASS_TEST_NATS_URL").expect("the run names its NATS");
        let backing = Self {
            database_url: database.config().url,
            nats_url,
            stream_prefix: nats.prefix.clone(),
        };
        // The installation outlives this function; the run throws the server away whole.
        std::mem::forget(database);
        backing
    }
}

/// Running processes of one installation. Dropping it ends them.
#[derive(Debug)]
pub struct Installation {
    processes: Vec<Process>,
    pub urls: Urls,
    /// The log of each process, kept with the build for whoever looks at a failure.
    pub logs: Vec<PathBuf>,
    /// Where videos are kept.
    pub blobs: PathBuf,
    admin_ports: Vec<u16>,
}

#[derive(Debug)]
struct Process {
    child: Child,
}

const SERVICES: [&str; 8] = [
    "directory",
    "ticket",
    "training",
    "notification",
    "access-grant",
    "device",
    "audit",
    "report",
];

impl Installation {
    /// Starts one process for each list of targets and waits until all are ready. Spans go to `otlp`.
    pub async fn start(backing: &Backing, split: &[&str], otlp: Option<&str>) -> Self {
        let ports: Vec<u16> = free_ports(3 + SERVICES.len() + split.len());
        let (gateway, device, sandbox) = (ports[0], ports[1], ports[2]);
        let mut settings = vec![
            ("SITEPASS_DATABASE_URL".to_owned(), backing.database_url.clone()),
            ("SITEPASS_NATS_URL".to_owned(), backing.nats_url.clone()),
            ("SITEPASS_STREAM_PREFIX".to_owned(), backing.stream_prefix.clone()),
            ("SITEPASS_GATEWAY_LISTEN".to_owned(), address(gateway)),
            ("SITEPASS_DEVICE_LISTEN".to_owned(), address(device)),
            ("SITEPASS_SANDBOX_LISTEN".to_owned(), address(sandbox)),
            ("SITEPASS_PUBLIC_URL".to_owned(), url(gateway)),
            ("SITEPASS_BLOB_DIR".to_owned(), blobs(gateway).display().to_string()),
            ("SITEPASS_FIRST_ADMIN_PASSWORD".to_owned(), fleet::PASSWORD.to_owned()),
            ("SITEPASS_DOOR_WEBHOOK_SECRET".to_owned(), format!("whsec_{}", "MDEy".repeat(11))),
            ("SITEPASS_LOG".to_owned(), log_filter()),
        ];
        for key in ["CALLER", "TOKEN", "VAULT", "BLOB"] {
            settings.push((format!("SITEPASS_{key}_SECRET"), format!("{key}-").repeat(16)));
        }
        if let Some(otlp) = otlp {
            settings.push(("SITEPASS_OTLP_ENDPOINT".to_owned(), otlp.to_owned()));
        }
        if split.len() > 1 {
            for (service, port) in SERVICES.iter().zip(&ports[3..]) {
                let name = service.replace('-', "_").to_uppercase();
                settings.push((format!("SITEPASS_{name}_GRPC_LISTEN"), address(*port)));
                settings.push((format!("SITEPASS_{name}_GRPC_URL"), url(*port)));
            }
        }
        let admin_ports = ports[3 + SERVICES.len()..].to_vec();
        let mut processes = Vec::new();
        let mut logs = Vec::new();
        for (targets, admin) in split.iter().zip(&admin_ports) {
            let log = log_path(*admin, targets);
            processes.push(Process { child: start(targets, *admin, &settings, &log) });
            logs.push(log);
        }
        let urls = Urls { gateway: url(gateway), device: url(device), sandbox: url(sandbox) };
        let installation = Self { processes, urls, logs, blobs: blobs(gateway), admin_ports };
        installation.ready().await;
        installation
    }

    /// Where the demo's video is.
    pub fn video() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/safety-video.mp4")
    }

    /// Waits until every process says it is ready.
    pub async fn ready(&self) {
        for port in &self.admin_ports {
            eventually("a process to be ready", || async move {
                (readiness(*port).await? == 200).then_some(())
            })
            .await;
        }
    }

    /// Asks every process to stop, as an operator would, and waits; the exit codes.
    pub fn stop(mut self) -> Vec<Option<i32>> {
        for process in &self.processes {
            send(process.child.id(), Signal::TERM);
        }
        self.processes
            .drain(..)
            .map(|mut process| process.child.wait().expect("a child can be waited for").code())
            .collect()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may have ended by itself.
            process.child.kill().ok();
            process.child.wait().ok();
        }
    }
}

async fn readiness(port: u16) -> Option<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

fn start(targets: &str, admin: u16, settings: &[(String, String)], log: &Path) -> Child {
    let mut command = Command::new(binary());
    // What names the run's servers is no setting of the binary.
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("SITEPASS_")) {
        command.env_remove(key);
    }
    let log = std::fs::File::create(log).expect("a log file");
    command
        .args(["serve", "--sandbox", "--target", targets])
        .envs(settings.iter().cloned())
        .env("SITEPASS_ADMIN_LISTEN", address(admin))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the sitepass binary starts; `cargo xtask test` builds it")
}

/// The binary beside the tests: `target/<profile>/sitepass`.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.ancestors().nth(2).expect("tests are in target/<profile>/deps").join("sitepass")
}

fn log_path(admin: u16, targets: &str) -> PathBuf {
    let folder = binary().parent().expect("the binary is in a folder").join("e2e-logs");
    std::fs::create_dir_all(&folder).expect("a folder for logs");
    folder.join(format!("{}-{admin}.log", targets.replace(',', "+")))
}

/// All that our own crates say, and what matters of the others.
fn log_filter() -> String {
    let shared = ["gateway", "sandbox", "service", "events", "schedule", "wechat"];
    let ours =
        SERVICES.iter().chain(&shared).map(|name| format!(",{}=debug", name.replace('-', "_")));
    format!("info{}", ours.collect::<String>())
}

fn blobs(gateway: u16) -> PathBuf {
    std::env::temp_dir().join(format!("sitepass-e2e-{gateway}"))
}

/// Ports nobody listens on now, all different.
fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    held.iter().map(|listener| listener.local_addr().expect("a bound port").port()).collect()
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
