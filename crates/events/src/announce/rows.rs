//! Pages of an owner's live aggregates, locked before they are read.

use chrono::{DateTime, Utc};
use service::{StoreError, Tx};
use sqlx::AssertSqlSafe;

/// Where an owner keeps a kind of aggregates.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// With its schema: `ticket.work_tickets`. Whoever changes an aggregate writes its row here before the fact.
    pub table: &'static str,
    /// The columns of the id and their types; the id is their texts, joined by `/`.
    pub key: &'static [(&'static str, &'static str)],
    /// Which rows are of live aggregates, as an SQL condition.
    pub live: &'static str,
    /// When what the row says became true, as far as the row tells: an SQL expression of its columns.
    pub since: &'static str,
}

/// One live aggregate, whose row is locked.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Live {
    pub id: String,
    pub since: DateTime<Utc>,
}

impl Rows {
    /// The ids of the page after `after` (empty at the beginning): its last, and how many it holds.
    pub(crate) async fn last_of_page(
        &self,
        tx: &mut Tx,
        after: &str,
        limit: i64,
    ) -> Result<Option<String>, StoreError> {
        let query = format!(
            "SELECT {id} FROM {table} WHERE {live} AND {above} ORDER BY {columns} LIMIT $2",
            id = self.id(),
            table = self.table,
            live = self.live,
            above = self.compared(">", "$1", after),
            columns = self.columns(),
        );
        let mut ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query))
            .bind(self.parts(after))
            .bind(limit)
            .fetch_all(&mut **tx)
            .await?;
        Ok(ids.pop())
    }

    /// The live aggregates after `after` up to `last`. None of them changes before `tx` ends. One that changed while
    /// its lock was waited for is given as it is now, or not at all if it is live no more.
    pub(crate) async fn lock(
        &self,
        tx: &mut Tx,
        after: &str,
        last: &str,
    ) -> Result<Vec<Live>, StoreError> {
        let query = format!(
            "SELECT {id} AS id, {since} AS since FROM {table} WHERE {live} AND {above} AND {upto}
             ORDER BY {columns} FOR SHARE",
            id = self.id(),
            since = self.since,
            table = self.table,
            live = self.live,
            above = self.compared(">", "$1", after),
            upto = self.compared("<=", "$2", last),
            columns = self.columns(),
        );
        let live = sqlx::query_as(AssertSqlSafe(query))
            .bind(self.parts(after))
            .bind(self.parts(last))
            .fetch_all(&mut **tx)
            .await?;
        Ok(live)
    }

    fn id(&self) -> String {
        let texts: Vec<String> =
            self.key.iter().map(|(column, _)| format!("{column}::text")).collect();
        texts.join(" || '/' || ")
    }

    fn columns(&self) -> String {
        self.key.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ")
    }

    /// Compares the columns with an array of texts; with none, anything follows.
    fn compared(&self, how: &str, parameter: &str, id: &str) -> String {
        if id.is_empty() {
            return format!("{parameter}::text[] IS NOT NULL");
        }
        let given = |(place, (_, kind)): (usize, &(&str, &str))| {
            format!("({parameter}::text[])[{}]::{kind}", place + 1)
        };
        let given: Vec<String> = self.key.iter().enumerate().map(given).collect();
        format!("({}) {how} ({})", self.columns(), given.join(", "))
    }

    fn parts(&self, id: &str) -> Vec<String> {
        id.splitn(self.key.len(), '/').map(ToOwned::to_owned).collect()
    }
}
