//! Secrets of one workspace's demo: made once, readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const HEX: [&str; 5] = [
    "SITEPASS_CALLER_SECRET",
    "SITEPASS_TOKEN_SECRET",
    "SITEPASS_VAULT_SECRET",
    "SITEPASS_BLOB_SECRET",
    "SITEPASS_AUDIT_CHECKPOINT_SECRET",
];
/// Of the form that Standard Webhooks asks for.
const WEBHOOK: [&str; 1] = ["SITEPASS_DOOR_WEBHOOK_SECRET"];

/// What the file holds; a secret it lacks is made and added.
pub(crate) fn read_or_make(file: &Path) -> Result<Vec<(String, String)>> {
    let text = if file.exists() {
        fs::read_to_string(file).context("read the secrets")?
    } else {
        String::new()
    };
    let mut pairs: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut out = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .context("open the file of secrets")?;
    for key in HEX.iter().chain(&WEBHOOK) {
        if pairs.iter().all(|(known, _)| known != key) {
            let bytes = random()?;
            let value = if WEBHOOK.contains(key) {
                format!("whsec_{}", STANDARD.encode(bytes))
            } else {
                hex::encode(bytes)
            };
            writeln!(out, "{key}={value}").context("keep a secret")?;
            pairs.push(((*key).to_owned(), value));
        }
    }
    Ok(pairs)
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("read /dev/urandom")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_only_their_owner_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets.env");
        let made = read_or_make(&file).unwrap();
        assert_eq!(made.len(), HEX.len() + WEBHOOK.len());
        assert!(made.iter().all(|(_, value)| value.len() >= 32));
        assert_eq!(read_or_make(&file).unwrap(), made);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    }
}
