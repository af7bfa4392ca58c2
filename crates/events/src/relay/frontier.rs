//! Which rows are read next: those above all that were read, and those whose numbers were skipped.
//!
//! A look at all unsent rows would pass the index entries of rows that were sent since the last vacuum, and while an
//! old snapshot is held no vacuum takes them away. A number is skipped while its transaction is not committed, or for
//! ever when it was rolled back; which of the two it is, the database's oldest transaction tells.

use std::time::{Duration, Instant};

use service::Conn;

use super::Ended;
use super::lead::{Unsent, select_facts};

/// More runs of skipped numbers are not followed one by one; the next look at everything finds what is in them.
const MOST_HOLES: usize = 1000;

/// What was read so far, by the numbers of rows.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    top: i64,
    holes: Vec<Hole>,
    /// The next read starts below everything.
    whole: bool,
    /// The last such read: when it was, and how long it took.
    looked: Option<(Instant, Duration)>,
}

/// Numbers from `low` to `high` that no read has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hole {
    low: i64,
    high: i64,
    /// Transactions below this one may still fill it.
    until: Option<i64>,
}

/// Which transactions are over: all below `oldest`; none from `next` on has begun.
#[derive(Debug, Clone, Copy)]
struct Transactions {
    oldest: i64,
    next: i64,
}

impl Frontier {
    /// The next read looks at every unsent row: after any doubt about what was read and not marked.
    pub(super) fn look_at_all(&mut self) {
        self.whole = true;
    }

    /// The same without a doubt, for what nobody thought of. While an old snapshot is held it takes the longer the more
    /// was sent: at most a twentieth of the time is spent on it.
    pub(super) fn look_at_all_now_and_then(&mut self) {
        let due = |(at, took): (Instant, Duration)| at.elapsed() >= took * 20;
        self.whole |= self.looked.is_none_or(due);
    }

    /// The next unsent rows in order, at most `limit`. None is read a second time before
    /// [`look_at_all`](Self::look_at_all), whether it is marked meanwhile or not.
    pub(super) async fn read(
        &mut self,
        conn: &mut Conn,
        context: &str,
        limit: u16,
    ) -> Result<Vec<Unsent>, Ended> {
        let from = if self.whole { 0 } else { self.top };
        let begun = Instant::now();
        let (rows, transactions) = if self.holes.is_empty() || self.whole {
            (above(conn, context, from, limit).await?, None)
        } else {
            // Before the rows: what is over now is visible to them.
            let transactions = transactions(conn).await?;
            (self.above_and_within(conn, context, limit).await?, Some(transactions))
        };
        if self.whole {
            self.whole = false;
            self.looked = Some((Instant::now(), begun.elapsed()));
            if let Some(last) = rows.last().filter(|_| rows.len() >= usize::from(limit)) {
                self.go_back(last.seq);
            }
        }
        self.passed(rows.iter().map(|row| row.seq), transactions);
        Ok(rows)
    }

    async fn above_and_within(
        &self,
        conn: &mut Conn,
        context: &str,
        limit: u16,
    ) -> Result<Vec<Unsent>, Ended> {
        let (lows, highs): (Vec<i64>, Vec<i64>) =
            self.holes.iter().map(|hole| (hole.low, hole.high)).unzip();
        let rows = sqlx::query_as(concat!(
            "SELECT late.* FROM unnest($4::bigint[], $5::bigint[]) AS hole (low, high) CROSS JOIN LATERAL (",
            select_facts!(
                "WHERE sent_at IS NULL AND context = $1 AND seq BETWEEN hole.low AND hole.high
                 ORDER BY seq LIMIT $3"
            ),
            ") AS late UNION ALL (",
            select_facts!("WHERE sent_at IS NULL AND context = $1 AND seq > $2 ORDER BY seq LIMIT $3"),
            ") ORDER BY seq LIMIT $3"
        ))
        .bind(context)
        .bind(self.top)
        .bind(i64::from(limit))
        .bind(lows)
        .bind(highs)
        .fetch_all(conn)
        .await?;
        Ok(rows)
    }

    /// More unsent rows may follow `seq` than were read.
    fn go_back(&mut self, seq: i64) {
        self.top = self.top.min(seq);
        self.holes.retain(|hole| hole.low <= self.top);
        for hole in &mut self.holes {
            hole.high = hole.high.min(self.top);
        }
    }

    /// Takes note of what a read saw, in order; `transactions` were looked at before it.
    fn passed(&mut self, rows: impl Iterator<Item = i64>, transactions: Option<Transactions>) {
        for hole in &mut self.holes {
            // Noted one read later than it was seen, so that whoever drew the number has its transaction by now.
            hole.until = hole.until.or(transactions.map(|seen| seen.next));
        }
        let mut new = Vec::new();
        for seq in rows {
            if seq > self.top {
                if seq > self.top + 1 {
                    new.push(Hole { low: self.top + 1, high: seq - 1, until: None });
                }
                self.top = seq;
            } else {
                self.fill(seq);
            }
        }
        if let Some(seen) = transactions {
            self.holes.retain(|hole| hole.until.is_none_or(|until| seen.oldest < until));
        }
        self.holes.append(&mut new);
        if self.holes.len() > MOST_HOLES {
            self.holes.drain(..self.holes.len() - MOST_HOLES);
        }
    }

    fn fill(&mut self, seq: i64) {
        let Some(place) = self.holes.iter().position(|hole| (hole.low..=hole.high).contains(&seq))
        else {
            return;
        };
        let hole = self.holes.remove(place);
        let parts = [(hole.low, seq - 1), (seq + 1, hole.high)];
        self.holes.extend(
            parts.into_iter().filter(|(low, high)| low <= high).map(|(low, high)| Hole {
                low,
                high,
                until: hole.until,
            }),
        );
    }
}

async fn above(conn: &mut Conn, context: &str, top: i64, limit: u16) -> Result<Vec<Unsent>, Ended> {
    let rows = sqlx::query_as(select_facts!(
        "WHERE sent_at IS NULL AND context = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    ))
    .bind(context)
    .bind(top)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

async fn transactions(conn: &mut Conn) -> Result<Transactions, Ended> {
    let (oldest, next) = sqlx::query_as(
        "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint
         FROM pg_current_snapshot() AS now",
    )
    .fetch_one(conn)
    .await?;
    Ok(Transactions { oldest, next })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Frontier, Hole, Transactions};

    const fn seen(oldest: i64, next: i64) -> Transactions {
        Transactions { oldest, next }
    }

    #[test]
    fn skipped_numbers_are_followed_until_they_come() {
        let mut frontier = Frontier { top: 4, ..Frontier::default() };
        frontier.passed([7, 8].into_iter(), None);
        assert_eq!(frontier.holes, [Hole { low: 5, high: 6, until: None }]);
        frontier.passed([6, 9].into_iter(), Some(seen(10, 20)));
        assert_eq!(frontier.holes, [Hole { low: 5, high: 5, until: Some(20) }]);
        frontier.passed([5].into_iter(), Some(seen(15, 30)));
        assert_eq!((frontier.top, frontier.holes), (9, vec![]));
    }

    #[test]
    fn skipped_numbers_are_given_up_once_their_transactions_are_over() {
        let mut frontier = Frontier { top: 4, ..Frontier::default() };
        frontier.passed([6].into_iter(), None);
        // Looked at for the first time: transaction 19 may have drawn the number.
        frontier.passed([].into_iter(), Some(seen(20, 20)));
        assert_eq!(frontier.holes, []);
        frontier.passed([8].into_iter(), None);
        frontier.passed([].into_iter(), Some(seen(19, 30)));
        assert_eq!(frontier.holes, [Hole { low: 7, high: 7, until: Some(30) }]);
        frontier.passed([].into_iter(), Some(seen(29, 40)));
        assert_eq!(frontier.holes.len(), 1, "transaction 29 goes on");
        frontier.passed([].into_iter(), Some(seen(30, 50)));
        assert_eq!(frontier.holes, []);
    }

    #[test]
    fn numbers_below_what_was_read_are_no_holes() {
        let mut frontier = Frontier { top: 100, ..Frontier::default() };
        frontier.passed([3, 50, 101].into_iter(), None);
        assert_eq!((frontier.top, frontier.holes), (101, vec![]));
    }

    #[test]
    fn a_look_at_everything_takes_a_twentieth_of_the_time_unless_there_is_a_doubt() {
        let mut frontier = Frontier {
            looked: Some((Instant::now(), Duration::from_secs(9))),
            ..Frontier::default()
        };
        frontier.look_at_all_now_and_then();
        assert!(!frontier.whole);
        frontier.look_at_all();
        assert!(frontier.whole);
        let mut frontier =
            Frontier { looked: Some((Instant::now(), Duration::ZERO)), ..Frontier::default() };
        frontier.look_at_all_now_and_then();
        assert!(frontier.whole);
    }

    #[test]
    fn going_back_forgets_what_was_seen_above() {
        let hole = |low, high| Hole { low, high, until: None };
        let holes = vec![hole(10, 12), hole(40, 60), hole(80, 80)];
        let mut frontier = Frontier { top: 100, holes, ..Frontier::default() };
        frontier.go_back(50);
        assert_eq!((frontier.top, frontier.holes), (50, vec![hole(10, 12), hole(40, 50)]));
    }
}
