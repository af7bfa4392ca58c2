//! The folder a server works in. Where the server's account cannot enter it, or a memory disk is wanted, the work is done
//! in a temporary folder and the first one keeps a pointer to it, so that the next run finds the same data.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::account::Account;

/// Free bytes a memory disk needs before tests use it: some hundred databases of 8 MB each.
const ROOM: u64 = 3 << 30;
const POINTER: &str = "elsewhere";
const PREFIX: &str = "sitepass-";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the folder itself, kept between runs.
    Kept,
    /// On a memory disk when there is room, wiped before and after.
    Throwaway,
}

/// Another process works in the folder.
#[derive(Debug)]
pub struct Busy(PathBuf);

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "another run is using {}", self.0.display())
    }
}

impl std::error::Error for Busy {}

/// Holds the folder's lock as long as it lives.
#[derive(Debug)]
pub(crate) struct Home {
    asked: PathBuf,
    path: PathBuf,
    place: Place,
    _lock: File,
}

impl Home {
    /// Fails when another process works in `dir`.
    pub(crate) fn open(dir: &Path, account: Account, place: Place) -> Result<Home> {
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let asked = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
        let lock = File::create(asked.join("lock"))
            .with_context(|| format!("lock {}", asked.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Busy(asked).into()),
            Err(TryLockError::Error(err)) => {
                return Err(err).context(format!("lock {}", asked.display()));
            }
        }
        let path = choose(&asked, account, place)?;
        Ok(Home { asked, path, place, _lock: lock })
    }

    /// Where the server works; owned by its account.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder, and the temporary one it points to, with all that is in them.
    pub(crate) fn erase(self) -> Result<()> {
        for folder in [&self.path, &self.asked] {
            if folder.exists() {
                fs::remove_dir_all(folder)
                    .with_context(|| format!("remove {}", folder.display()))?;
            }
        }
        Ok(())
    }

    /// Removes what a throwaway server wrote; does nothing for one that is kept.
    pub(crate) fn wipe(&self) -> Result<()> {
        if self.place == Place::Kept {
            return Ok(());
        }
        for entry in fs::read_dir(&self.path)
            .with_context(|| format!("read {}", self.path.display()))?
            .flatten()
        {
            if entry.file_name() == "lock" {
                continue;
            }
            let removed = if entry.path().is_dir() {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
            removed.with_context(|| format!("remove {}", entry.path().display()))?;
        }
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.place == Place::Throwaway {
            drop(self.wipe()); // the next run wipes again
            if self.path != self.asked {
                drop(fs::remove_dir(&self.path));
                drop(fs::remove_file(self.asked.join(POINTER)));
            }
        }
    }
}

fn choose(asked: &Path, account: Account, place: Place) -> Result<PathBuf> {
    if let Some(found) = pointed_at(asked, account) {
        return Ok(found);
    }
    let memory = Path::new("/dev/shm");
    let parent = if place == Place::Throwaway && room(memory) >= ROOM {
        memory.to_path_buf()
    } else if account.reaches(asked) {
        account.own(asked)?;
        return Ok(asked.to_path_buf());
    } else if place == Place::Kept && Path::new("/var/tmp").is_dir() {
        PathBuf::from("/var/tmp") // outlives a restart of the machine
    } else {
        std::env::temp_dir()
    };
    let path = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(&parent)
        .with_context(|| format!("make a folder in {}", parent.display()))?
        .keep();
    account.own(&path)?;
    fs::write(asked.join(POINTER), path.as_os_str().as_encoded_bytes())
        .context("remember the temporary folder")?;
    Ok(path)
}

/// The folder an earlier run used, when it still is one of ours.
fn pointed_at(asked: &Path, account: Account) -> Option<PathBuf> {
    let path = PathBuf::from(fs::read_to_string(asked.join(POINTER)).ok()?);
    let ours = path.file_name()?.to_str()?.starts_with(PREFIX);
    let found = fs::symlink_metadata(&path).ok()?;
    (ours && found.is_dir() && found.uid() == account.uid()).then_some(path)
}

fn room(disk: &Path) -> u64 {
    rustix::fs::statvfs(disk).map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize))
}
