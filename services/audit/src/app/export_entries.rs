use auth::Caller;
use chrono::{DateTime, Utc};
use events::AuditFact;
use serde_json::json;
use service::{Scope, Store};
use types::SiteId;

use super::{App, Error, reached};
use crate::archive::Archive;
use crate::domain::{Export, Line, ORIGIN, Signed, between};
use crate::store::entries;

const BATCH: i64 = 500;

/// Asks for a site's entries of a time as a file.
#[derive(Debug)]
pub(crate) struct ExportEntries {
    pub(crate) caller: Caller,
    pub(crate) site: Option<SiteId>,
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) to: Option<DateTime<Utc>>,
}

impl App {
    /// Begins an export, and records that it was asked for before anything of it is told. An export is an unbroken
    /// part of the chain: from the first entry that matches to the last, with all between them. Refused when the last
    /// was never sealed: a file would give it a place in the chain.
    #[tracing::instrument(name = "audit.export_entries", skip_all)]
    pub(crate) async fn export_entries(&self, cmd: ExportEntries) -> Result<Exporting, Error> {
        let site = reached(&cmd.caller, cmd.site)?;
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        let range = match (cmd.from, cmd.to) {
            (None, None) => entries::ends(&mut tx, site).await?.map(|(_, last)| (1, last)),
            (from, to) => entries::range(&mut tx, site, between(from, to)).await?,
        };
        let (first, last) = range.unwrap_or_default();
        if last > 0 {
            // Read after the entries: what is appended meanwhile moves the head on.
            entries::head(&mut tx, site).await?.holds(last)?;
        }
        let previous_hash = match first {
            0 | 1 => ORIGIN,
            first => entries::hash_at(&mut tx, site, first - 1).await?,
        };
        let fact = AuditFact {
            context: "audit",
            caller: &cmd.caller,
            action: "audit.export",
            target_type: "audit_log",
            target_id: site.to_string(),
            site: cmd.site,
            before: None,
            after: Some(json!({ "from": cmd.from, "to": cmd.to, "first": first, "last": last })),
            reason: None,
            at: self.clock.now(),
        };
        events::audit(&mut tx, fact).await?;
        tx.commit().await?;
        let proof = match first {
            0 => None,
            first => self.archive.proof(site, first, last).await?,
        };
        let export = Export {
            site,
            first,
            previous_hash,
            last,
            from: cmd.from,
            to: cmd.to,
            exported_at: self.system.now(),
            exported_by: cmd.caller.subject.to_string(),
        };
        let (store, archive) = (self.store.clone(), self.archive.clone());
        Ok(Exporting { store, archive, export, proof, next: Next::Manifest })
    }
}

/// An export on its way; each call gives some lines of it.
#[derive(Debug)]
pub(crate) struct Exporting {
    store: Store,
    archive: Archive,
    export: Export,
    proof: Option<Signed>,
    next: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Manifest,
    /// Entries behind this place, after one with this hash.
    Entries(u64, [u8; 32]),
    Nothing,
}

impl Exporting {
    /// Whole lines; `None` after the last. Each batch of entries is a transaction of its own: what was appended never
    /// changes.
    pub(crate) async fn lines(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut lines = Vec::new();
        let signer = self.archive.signer();
        self.next = match self.next {
            Next::Manifest => {
                self.export.manifest(signer).write(&mut lines);
                if let Some(proof) = &self.proof {
                    Line::checkpoint(proof).write(&mut lines);
                }
                let before = self.export.before();
                Next::Entries(before.position, before.hash)
            }
            Next::Entries(behind, hash) if behind >= self.export.last => {
                let proofs = u64::from(self.proof.is_some());
                self.export.end(hash, proofs, signer).write(&mut lines);
                Next::Nothing
            }
            Next::Entries(behind, hash) => self.entries(behind, hash, &mut lines).await?,
            Next::Nothing => return Ok(None),
        };
        Ok(Some(lines))
    }

    async fn entries(
        &self,
        behind: u64,
        hash: [u8; 32],
        lines: &mut Vec<u8>,
    ) -> Result<Next, Error> {
        let site = self.export.site;
        let mut tx = self.store.begin(Scope::Site(site)).await?;
        let batch = entries::behind(&mut tx, site, behind, BATCH).await?;
        let mut place = (behind, hash);
        for sealed in batch.iter().take_while(|sealed| sealed.position <= self.export.last) {
            Line::entry(sealed).write(lines);
            place = (sealed.position, sealed.hash);
        }
        // Entries that are gone are missed by whoever verifies the file.
        let moved = place.0 > behind;
        Ok(Next::Entries(if moved { place.0 } else { self.export.last }, place.1))
    }
}
