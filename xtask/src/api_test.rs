//! `cargo xtask api-test`: the API asked by its own document, by a program that looks for what the document does not
//! say: a 5xx, an answer of another shape, a route that needs no sign-in after all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo::{cargo, root, tools_dir};
use crate::child::run_program;
use crate::demo::ports::{DEMO_PASSWORD, url};
use crate::demo::sitepass::{self, Sitepass};
use crate::demo::{folders, forget_folders, program};
use crate::stop::Stop;
use crate::test::build;
use crate::test_servers::TestServers;

/// Each is another walk through the API.
const SEEDS: [&str; 3] = ["1", "20", "300"];
/// Of one seed: three of them and what is around them stay below three minutes.
const SECONDS: &str = "45";
/// Operations that `configure.py` leaves out: signing out, choosing a password, a video's bytes.
const LEFT_OUT: u64 = 3;

pub(crate) fn run(stop: &Stop) -> Result<()> {
    let servers = TestServers::start()?;
    build(stop)?;
    check(stop, &servers)
}

/// On an installation of its own; the programs are built.
pub(crate) fn check(stop: &Stop, servers: &TestServers) -> Result<()> {
    let schemathesis = install(stop)?;
    let state = servers::state_dir().join("api-test");
    fs::create_dir_all(&state).with_context(|| format!("create {}", state.display()))?;
    forget_folders(&state)?;
    let ports = Ports::free()?;
    let environment = environment(servers, &state, &ports)?;
    migrate(stop, &environment)?;
    let mut serve = program("sitepass")?;
    serve.args(["serve", "--target", "all", "--sandbox"]).envs(environment);
    let mut sitepass = Sitepass::start(serve, &state)?;
    sitepass.wait_ready(stop, ports.admin)?;
    let outcome = ask(stop, &schemathesis, &state, &ports);
    let stopped = sitepass.stop();
    outcome.with_context(|| format!("the service's log is in {}", state.display())).and(stopped)?;
    let errors = sitepass::errors(&state)?;
    if !errors.is_empty() {
        bail!("the service logged {} errors:\n{}", errors.len(), errors.join("\n"));
    }
    Ok(())
}

fn ask(stop: &Stop, schemathesis: &Path, state: &Path, ports: &Ports) -> Result<()> {
    let (gateway, sandbox) = (url(ports.gateway), url(ports.sandbox));
    let mut seed = program("fleet")?;
    seed.args(["seed", "--gateway", &gateway, "--sandbox", &sandbox, "--device"]);
    run_program(stop, seed.arg(url(ports.device)).stdout(Stdio::null()))?;
    let file = state.join("schemathesis.toml");
    let mut configure = Command::new(schemathesis.with_file_name("python"));
    configure.arg(root().join("xtask/api-test/configure.py"));
    configure.args([&gateway, &sandbox, DEMO_PASSWORD]).arg(&file);
    run_program(stop, &mut configure).context("sign in for the test of the API")?;
    let mut whole = false;
    for walk in SEEDS {
        say!("    seed {walk}");
        let report = state.join(format!("walk-{walk}.json"));
        let mut run = Command::new(schemathesis);
        run.current_dir(state).arg("--config-file").arg(&file).arg("run");
        run.arg(format!("{gateway}/openapi.json"));
        run.args(["--seed", walk, "--max-time", SECONDS, "--no-color", "--continue-on-failure"]);
        run.args(["--report", "json", "--report-json-path"]).arg(&report);
        for key in ["http_proxy", "https_proxy", "all_proxy"] {
            run.env_remove(key).env_remove(key.to_uppercase());
        }
        run_program(stop, &mut run)
            .with_context(|| format!("the API is not as it says it is (seed {walk})"))?;
        let report = fs::read(&report).context("read what the walk came by")?;
        whole |= is_whole(&serde_json::from_slice(&report).context("its report is JSON")?)?;
    }
    if !whole {
        bail!("no walk came by every operation in its {SECONDS} s");
    }
    Ok(())
}

/// Whether a walk came by every operation that it was to. Fails when it was to leave out more than is said here.
fn is_whole(report: &Value) -> Result<bool> {
    let count = |name: &str| {
        let count = report["operations"][name].as_u64();
        count.with_context(|| format!("the report counts what is {name}"))
    };
    let (total, selected, tested) = (count("total")?, count("selected")?, count("tested")?);
    if selected + LEFT_OUT != total {
        bail!("{selected} of {total} operations were to be asked: all but {LEFT_OUT} are");
    }
    Ok(tested == selected)
}

/// Installs what `requirements.txt` pins by hash, once for each state of that file.
fn install(stop: &Stop) -> Result<PathBuf> {
    let folder = tools_dir().join("schemathesis");
    let pins = fs::read(root().join("xtask/api-test/requirements.txt")).context("read the pins")?;
    let (venv, installed) = (folder.join("venv"), folder.join("requirements.txt"));
    if fs::read(&installed).is_ok_and(|before| before == pins) {
        return Ok(venv.join("bin/schemathesis"));
    }
    say!("    installing schemathesis into .sitepass/tools");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let mut make = Command::new("python3");
    run_program(stop, make.args(["-m", "venv", "--clear"]).arg(&venv))
        .context("make a virtual environment: Python 3.10 or newer is needed")?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--require-hashes", "--requirement"]);
    pip.arg(root().join("xtask/api-test/requirements.txt"));
    run_program(stop, &mut pip).context("install schemathesis")?;
    fs::write(&installed, pins).context("remember what is installed")?;
    Ok(venv.join("bin/schemathesis"))
}

struct Ports {
    gateway: u16,
    device: u16,
    sandbox: u16,
    admin: u16,
}

impl Ports {
    fn free() -> Result<Self> {
        let held =
            [servers::reserve()?, servers::reserve()?, servers::reserve()?, servers::reserve()?];
        let mut ports = held.iter().map(|port| port.local_addr().map(|address| address.port()));
        let mut next = || ports.next().context("four ports")?.context("a bound port");
        Ok(Self { gateway: next()?, device: next()?, sandbox: next()?, admin: next()? })
    }
}

fn environment(
    servers: &TestServers,
    state: &Path,
    ports: &Ports,
) -> Result<Vec<(String, String)>> {
    let (server, _) = servers
        .database_url
        .rsplit_once('/')
        .context("the test database's address names a database")?;
    let name = format!("sitepass_api_{}", std::process::id());
    let admin_url = format!("{server}/{name}");
    let app_url = admin_url.replacen("postgres@", "", 1);
    let listen = |port: u16| format!("127.0.0.1:{port}");
    let mut pairs: Vec<(String, String)> = [
        ("SITEPASS_MIGRATE_DATABASE_URL", admin_url),
        ("SITEPASS_DATABASE_URL", app_url),
        ("SITEPASS_NATS_URL", servers.nats_url.clone()),
        ("SITEPASS_STREAM_PREFIX", name),
        ("SITEPASS_GATEWAY_LISTEN", listen(ports.gateway)),
        ("SITEPASS_DEVICE_LISTEN", listen(ports.device)),
        ("SITEPASS_SANDBOX_LISTEN", listen(ports.sandbox)),
        ("SITEPASS_ADMIN_LISTEN", listen(ports.admin)),
        ("SITEPASS_PUBLIC_URL", url(ports.gateway)),
        ("SITEPASS_FIRST_ADMIN_PASSWORD", DEMO_PASSWORD.to_owned()),
        ("SITEPASS_DOOR_WEBHOOK_SECRET", format!("whsec_{}", "MDEy".repeat(11))),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    pairs.extend(folders(state));
    for key in ["CALLER", "TOKEN", "VAULT", "BLOB", "AUDIT_CHECKPOINT"] {
        let key = format!("SITEPASS_{key}_SECRET");
        // Of a throwaway installation on loopback.
        let secret = key.repeat(2);
        pairs.push((key, secret));
    }
    Ok(pairs)
}

/// Makes the database; `sitepass migrate` expects one.
fn migrate(stop: &Stop, environment: &[(String, String)]) -> Result<()> {
    let url = environment.iter().find(|(key, _)| key == "SITEPASS_MIGRATE_DATABASE_URL");
    let (_, url) = url.context("the database's address")?;
    let mut migrate =
        cargo(["run", "--quiet", "--package", "service", "--example", "migrate", "--", "--create"]);
    run_program(stop, migrate.arg("--admin-url").arg(url)).context("migrate every schema")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_walk_is_whole_that_came_by_all_that_is_asked() {
        let walk = |selected: u64, tested: u64| {
            let operations = json!({ "total": 80, "selected": selected, "tested": tested });
            is_whole(&json!({ "operations": operations }))
        };
        assert!(walk(77, 77).unwrap());
        assert!(!walk(77, 76).unwrap());
        assert!(walk(76, 76).is_err(), "one more was left out");
        assert!(is_whole(&json!({})).is_err());
    }
}
