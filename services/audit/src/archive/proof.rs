//! Finding the checkpoint that proves a part of a chain without reading them all.

use std::ops::{Range, RangeInclusive};

use types::SiteId;

use super::ArchiveError;
use crate::domain::{Signed, WHOLE_EVERY};

/// The newest checkpoint that saw one of a chain's entries at `positions`, of those that `read` believes. Chains only
/// grow, and a whole checkpoint tells of each, also that a chain was not there: the whole ones part the numbers in two, and
/// what is looked for lies right before the first that saw too much.
pub(super) async fn newest_of<F>(
    read: impl Fn(u64) -> F,
    newest: u64,
    site: SiteId,
    positions: RangeInclusive<u64>,
) -> Result<Option<Signed>, ArchiveError>
where
    F: Future<Output = Result<Option<Signed>, ArchiveError>>,
{
    // Stretches that begin with a whole one each; those before `low` are known to begin before the end of the part.
    let (mut low, mut high) = (0, newest.div_ceil(WHOLE_EVERY));
    while low < high {
        let middle = low + (high - low) / 2;
        match told(&read, middle..high, site).await? {
            Some((stretch, position)) if position <= *positions.end() => low = stretch + 1,
            _ => high = middle,
        }
    }
    for number in (1..=newest.min((low + 1) * WHOLE_EVERY)).rev() {
        let Some(signed) = read(number).await? else { continue };
        match signed.checkpoint.saw(site) {
            Some(position) if position < *positions.start() => return Ok(None),
            Some(position) if positions.contains(&position) => return Ok(Some(signed)),
            _ => {}
        }
    }
    Ok(None)
}

/// The first of these stretches whose beginning can be read, and how far the chain was seen then.
async fn told<F>(
    read: &impl Fn(u64) -> F,
    stretches: Range<u64>,
    site: SiteId,
) -> Result<Option<(u64, u64)>, ArchiveError>
where
    F: Future<Output = Result<Option<Signed>, ArchiveError>>,
{
    for stretch in stretches {
        let Some(signed) = read(stretch * WHOLE_EVERY + 1).await? else { continue };
        if let Some(position) = signed.checkpoint.saw(site) {
            return Ok(Some((stretch, position)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::future::ready;
    use std::ops::RangeInclusive;

    use auth::{PublicKey, Signer};
    use chrono::DateTime;
    use types::SiteId;

    use super::newest_of;
    use crate::domain::{Checkpoint, Head, ORIGIN, Signed, WHOLE_EVERY};

    /// A checkpoint of each minute, in which one chain grew now and then and another each time.
    struct Minutes {
        site: SiteId,
        other: SiteId,
        newest: u64,
        /// At which checkpoints the one grew, and how far.
        grown: BTreeMap<u64, u64>,
        unreadable: RangeInclusive<u64>,
        key: PublicKey,
        reads: Cell<u64>,
    }

    impl Minutes {
        fn new(newest: u64, grown: &[(u64, u64)]) -> Self {
            Self {
                site: SiteId::new(),
                other: SiteId::new(),
                newest,
                grown: grown.iter().copied().collect(),
                unreadable: 0..=0,
                key: Signer::from_root(&[1; 32], "test").unwrap().public_key(),
                reads: Cell::new(0),
            }
        }

        fn at(&self, number: u64) -> Option<Signed> {
            if self.unreadable.contains(&number) {
                return None;
            }
            let whole = number % WHOLE_EVERY == 1;
            let seen = if whole {
                self.grown.range(..=number).next_back().map(|(_, position)| *position)
            } else {
                self.grown.get(&number).copied()
            };
            let head = |position| Head { position, hash: [7; 32] };
            let mut heads = BTreeMap::from([(self.other, head(number))]);
            heads.extend(seen.map(|position| (self.site, head(position))));
            let at = DateTime::UNIX_EPOCH;
            let checkpoint = Checkpoint { number, at, previous: ORIGIN, whole, heads };
            // Whether it is believed was looked at before.
            Some(Signed { checkpoint, key: self.key, signature: [0; 64] })
        }

        async fn found(&self, positions: RangeInclusive<u64>) -> Option<u64> {
            let read = |number| {
                self.reads.set(self.reads.get() + 1);
                ready(Ok(self.at(number)))
            };
            let found = newest_of(read, self.newest, self.site, positions).await.unwrap();
            found.map(|signed| signed.checkpoint.number)
        }

        /// The same, by reading all.
        fn sought(&self, positions: &RangeInclusive<u64>) -> Option<u64> {
            (1..=self.newest).rev().find(|number| {
                let signed = self.at(*number);
                let head =
                    signed.and_then(|signed| signed.checkpoint.heads.get(&self.site).copied());
                head.is_some_and(|head| positions.contains(&head.position))
            })
        }
    }

    #[tokio::test]
    async fn a_site_that_joined_late_is_found_in_few_reads_and_so_is_one_that_never_did() {
        let late = Minutes::new(100_000, &[(100_000, 5)]);
        assert_eq!(late.found(1..=5).await, Some(100_000));
        assert_eq!(late.found(6..=9).await, None);
        assert_eq!(late.found(1..=4).await, None);
        let never = Minutes::new(100_000, &[]);
        assert_eq!(never.found(1..=5).await, None);
        let most = 2 * WHOLE_EVERY + u64::from((100_000 / WHOLE_EVERY).ilog2()) + 2;
        assert!(late.reads.get() <= 3 * most, "{}", late.reads.get());
        assert!(never.reads.get() <= most, "{}", never.reads.get());
    }

    #[tokio::test]
    async fn what_is_found_is_the_newest_that_saw_one_of_the_entries() {
        let minutes = Minutes::new(300, &[(3, 2), (61, 5), (62, 9), (130, 10), (250, 12)]);
        for first in 1..=13 {
            for last in first..=13 {
                let positions = first..=last;
                let sought = minutes.sought(&positions);
                assert_eq!(minutes.found(positions).await, sought, "{first} to {last}");
            }
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_passed_over() {
        let mut minutes = Minutes::new(5_000, &[(3, 2), (61, 5), (4_500, 9)]);
        minutes.unreadable = 62..=4_400;
        assert_eq!(minutes.found(1..=5).await, Some(4_441));
        assert_eq!(minutes.found(1..=4).await, Some(3));
        minutes.unreadable = 1..=5_000;
        assert_eq!(minutes.found(1..=5).await, None);
    }
}
