use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::StreamExt;
use schedule::{LeaseLost, Run};
use service::Scope;
use types::{AccessGroupId, GrantId, SiteClock};

use crate::domain::{Grant, Sight, State};
use crate::door::{Door, Entry, Fault};
use crate::record::{Finding, record};
use crate::store::{areas, grants, queue};

/// Groups read at a time.
const AT_ONCE: usize = 4;
/// Pages of one group: more than any door holds.
const MAX_PAGES: usize = 1000;

/// Reads every door and compares it with what it should hold.
#[derive(Debug, Clone)]
pub struct Proofs {
    clock: SiteClock,
    door: Arc<dyn Door>,
}

/// What a round of reading found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round {
    /// Held as they should be.
    pub right: u64,
    /// Missing or different; they are due for another push.
    pub wrong: u64,
    /// Held though no live grant explains them; taken away.
    pub extra: u64,
    /// Groups whose doors could not be read.
    pub unread: u64,
}

impl Proofs {
    pub fn new(clock: SiteClock, door: Arc<dyn Door>) -> Self {
        Self { clock, door }
    }

    /// Reads the doors of every group once. Running it again, or twice at once, is safe. A run that lost its lease
    /// writes nothing down; what it may still take from a door in that moment, nobody granted.
    #[tracing::instrument(name = "doors.prove", skip_all)]
    pub async fn prove_doors(&self, run: &Run) -> Result<Round, LeaseLost> {
        let mut tx = run.begin(Scope::System("prove doors")).await?;
        let groups = areas::all_groups(&mut tx).await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("sitepass_grants_unproved").set(queue::unproved(&mut tx).await? as f64);
        drop(tx);
        let rounds = futures::stream::iter(groups.into_iter().map(|group| self.prove(run, group)))
            .buffer_unordered(AT_ONCE);
        let rounds: Vec<Result<Round, LeaseLost>> = rounds.collect().await;
        let mut sum = Round::default();
        for round in rounds {
            let round = round?;
            sum.right += round.right;
            sum.wrong += round.wrong;
            sum.extra += round.extra;
            sum.unread += round.unread;
        }
        Ok(sum)
    }

    async fn prove(&self, run: &Run, group: AccessGroupId) -> Result<Round, LeaseLost> {
        let group = &group;
        // What was proved before the reading began has to be in it.
        let mut tx = run.begin(Scope::System("prove a door")).await?;
        let expected = queue::proved(&mut tx, group).await?;
        drop(tx);
        let Ok(entries) = read_all(self.door.as_ref(), group).await else {
            return Ok(Round { unread: 1, ..Round::default() });
        };
        let mut round = Round::default();
        let mut again = Vec::new();
        let mut found = Vec::new();
        for grant in &expected {
            let sight = match entries.get(&grant.id.to_string()) {
                Some(entry) if entry.is_as(grant) => {
                    again.push((grant.id, grant.revision));
                    continue;
                }
                Some(_) => Sight::Different { why: None },
                None => Sight::Missing { why: None },
            };
            found.push(Finding { grant: grant.id, revision: grant.revision, sent_at: None, sight });
        }
        round.right = u64::try_from(again.len()).unwrap_or(u64::MAX);
        round.wrong = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let known: BTreeSet<GrantId> = expected.iter().map(|grant| grant.id).collect();
        let (strange, others) = others(run, &entries, &known).await?;
        for grant_id in &strange {
            run.check().await?;
            if let Err(fault) = self.door.remove(group, grant_id).await {
                tracing::warn!(door.group = %group, fault = fault.code(), "what nobody granted cannot be taken away yet");
            }
        }
        round.extra = u64::try_from(strange.len()).unwrap_or(u64::MAX);
        for grant in others.iter().filter(|grant| grant.aim.group.as_ref() == Some(group)) {
            let right = entries.get(&grant.id.to_string()).is_some_and(|entry| entry.is_as(grant));
            // Ended, seen gone and back again; or held and not believed yet. What is due anyway is the pusher's.
            let back = matches!(grant.state, State::Revoked { proved_at: Some(_), .. });
            if back || (grant.is_live() && right) {
                round.extra += u64::from(back);
                found.push(Finding {
                    grant: grant.id,
                    revision: grant.revision,
                    sent_at: None,
                    sight: Sight::Right,
                });
            }
        }
        self.keep(run, &again, found).await?;
        Ok(round)
    }

    async fn keep(
        &self,
        run: &Run,
        again: &[(GrantId, u64)],
        found: Vec<Finding>,
    ) -> Result<(), LeaseLost> {
        let now = self.clock.now();
        let mut tx = run.begin(Scope::System("keep what doors hold")).await?;
        if !found.is_empty() {
            let ids: Vec<GrantId> = found.iter().map(|finding| finding.grant).collect();
            let leased = queue::with_siblings(&mut tx, &ids).await?;
            // A pusher that is at a grant will read the door itself.
            let free: BTreeSet<GrantId> = leased
                .iter()
                .filter(|leased| leased.lease.is_none())
                .map(|leased| leased.grant.id)
                .collect();
            let grants = leased.into_iter().map(|leased| leased.grant).collect();
            let found = found.into_iter().filter(|finding| free.contains(&finding.grant)).collect();
            record(&mut tx, grants, found, now).await?;
        }
        queue::seen_again(&mut tx, again, now).await?;
        Ok(tx.commit().await?)
    }
}

/// Entries beside the expected: those that are no grants of ours, and the grants that explain the rest. A grant is
/// committed before any door hears of it, so what is unknown now was never granted.
async fn others(
    run: &Run,
    entries: &BTreeMap<String, Entry>,
    known: &BTreeSet<GrantId>,
) -> Result<(Vec<String>, Vec<Grant>), LeaseLost> {
    let named: BTreeMap<&str, Option<GrantId>> =
        entries.keys().map(|id| (id.as_str(), id.parse::<GrantId>().ok())).collect();
    let ids: Vec<GrantId> =
        named.values().flatten().filter(|id| !known.contains(id)).copied().collect();
    let mut tx = run.begin(Scope::System("explain what a door holds")).await?;
    let grants = grants::by_ids(&mut tx, &ids).await?;
    let ours: BTreeSet<GrantId> =
        grants.iter().map(|grant| grant.id).chain(known.iter().copied()).collect();
    let strange = named.iter().filter(|(_, id)| id.is_none_or(|id| !ours.contains(&id)));
    Ok((strange.map(|(text, _)| (*text).to_owned()).collect(), grants))
}

/// All that the doors of a group hold, by the grant's id as the door says it.
pub(super) async fn read_all(
    door: &dyn Door,
    group: &AccessGroupId,
) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut entries = BTreeMap::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = door.read(group, cursor.as_deref()).await?;
        entries.extend(page.entries.into_iter().map(|entry| (entry.grant_id.clone(), entry)));
        match page.next_cursor {
            None => return Ok(entries),
            next => cursor = next,
        }
    }
    Err(Fault::Refused("ENDLESS_PAGES".to_owned()))
}
