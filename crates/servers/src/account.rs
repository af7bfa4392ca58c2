//! Who runs the servers: the caller, or `nobody` when the caller is root.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
    dropped: bool,
}

impl Account {
    /// PostgreSQL refuses to run as root, and NATS has no need to.
    pub(crate) fn for_servers() -> Result<Account> {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        if uid != 0 {
            return Ok(Account { uid, gid, dropped: false });
        }
        let passwd = fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
        let (uid, gid) = ids_of("nobody", &passwd)
            .context("PostgreSQL does not run as root and there is no user `nobody`: run this as another user")?;
        Ok(Account { uid, gid, dropped: true })
    }

    pub(crate) fn uid(self) -> u32 {
        self.uid
    }

    /// A command run as this account, in `home`, with none of the caller's environment but `PATH`.
    pub(crate) fn command(self, program: impl AsRef<OsStr>, home: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", home).env("LC_ALL", "C").env("TZ", "UTC").current_dir(home);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if self.dropped {
            command.uid(self.uid).gid(self.gid); // supplementary groups are dropped with it
        }
        command
    }

    /// Gives `path` to this account; nothing to do unless the caller is root.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        if self.dropped {
            chown(path, Some(self.uid), Some(self.gid))
                .with_context(|| format!("give {} to nobody", path.display()))?;
        }
        Ok(())
    }

    /// Whether every folder above `path` may be entered by this account.
    pub(crate) fn reaches(self, path: &Path) -> bool {
        if !self.dropped {
            return true;
        }
        let Ok(path) = path.canonicalize() else { return false };
        path.ancestors().skip(1).all(|folder| {
            fs::metadata(folder).is_ok_and(|found| {
                let mode = found.mode();
                mode & 0o001 != 0 || (found.uid() == self.uid && mode & 0o100 != 0)
            })
        })
    }
}

fn ids_of(name: &str, passwd: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::ids_of;

    #[test]
    fn the_ids_of_a_user_come_from_its_own_line() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533:nobody:/:/usr/sbin/nologin\n";
        assert_eq!(ids_of("nobody", passwd), Some((65534, 65533)));
        assert_eq!(ids_of("noone", passwd), None);
    }
}
