//! A connection on which nothing is awaited without end. The server's own limits say nothing where the server, or the
//! way to it, is gone without a word: the kernel goes on sending for a quarter of an hour, and waits for an answer for
//! ever.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, future};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTransactionManager, PgTypeInfo};
use sqlx::{Connection, Describe, Either, Execute, Executor, PgConnection, Postgres, SqlStr};
use sqlx_core::transaction::TransactionManager;
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep, timeout};

/// Longer than the server lets a statement work, and a commit wait for the disk.
const ANSWER: Duration = Duration::from_secs(15);
/// For a last word on the way to the pool, or out.
const FAREWELL: Duration = Duration::from_secs(5);

/// sqlx's executor is `&mut conn`. A connection that gave no answer within 15 seconds is not used again, and closed when it
/// is dropped; what became of the statement is not known. Each later statement fails as that one did.
pub struct Conn {
    /// There until it is dropped.
    inner: Option<Inner>,
    /// An answer did not come, or what state the connection is in is not known.
    spent: bool,
}

enum Inner {
    Pooled(PoolConnection<Postgres>),
    Own(PgConnection),
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("spent", &self.spent).finish_non_exhaustive()
    }
}

impl From<PoolConnection<Postgres>> for Conn {
    fn from(conn: PoolConnection<Postgres>) -> Self {
        Self { inner: Some(Inner::Pooled(conn)), spent: false }
    }
}

impl From<PgConnection> for Conn {
    fn from(conn: PgConnection) -> Self {
        Self { inner: Some(Inner::Own(conn)), spent: false }
    }
}

impl Conn {
    /// Tells the server that it goes. Dropping it is as good, only that the server learns it later.
    ///
    /// # Errors
    /// Where the connection was gone already.
    pub async fn close(mut self) -> Result<(), sqlx::Error> {
        match self.inner.take() {
            Some(Inner::Own(conn)) => answered(FAREWELL, conn.close()).await,
            Some(Inner::Pooled(conn)) => answered(FAREWELL, conn.close()).await,
            None => Ok(()),
        }
    }

    /// Begins a transaction by `statement`, within `limit`. Where that fails, or is given up before its answer is there,
    /// the connection is not used again: sqlx ends no transaction whose begin it did not see, so that the next one
    /// would run within it, in its scope.
    pub(super) async fn begin(
        &mut self,
        statement: SqlStr,
        limit: Duration,
    ) -> Result<(), sqlx::Error> {
        let (conn, spent) = self.parts()?;
        *spent = true;
        answered(limit, PgTransactionManager::begin(conn, Some(statement))).await?;
        *spent = false;
        Ok(())
    }

    /// What comes next on this connection, if only its way back to the pool, is preceded by the end of the transaction.
    pub(super) fn start_rollback(&mut self) {
        if let Ok((conn, _)) = self.parts() {
            PgTransactionManager::start_rollback(conn);
        }
    }

    /// The connection, as long as it is fit to be used, and whether it is spent from now on.
    fn parts(&mut self) -> Result<(&mut PgConnection, &mut bool), sqlx::Error> {
        if self.spent {
            return Err(silence());
        }
        let conn = match self.inner.as_mut().expect("a connection is there until it is dropped") {
            Inner::Pooled(conn) => &mut **conn,
            Inner::Own(conn) => conn,
        };
        Ok((conn, &mut self.spent))
    }

    /// What a statement was answered. Where nothing was, the connection is spent.
    fn heard<'e, T: Send + 'e>(
        &'e mut self,
        ask: impl FnOnce(&'e mut PgConnection) -> BoxFuture<'e, Result<T, sqlx::Error>>,
    ) -> BoxFuture<'e, Result<T, sqlx::Error>> {
        let (statement, spent) = match self.parts() {
            Ok((conn, spent)) => (ask(conn), spent),
            Err(spent) => return future::ready(Err(spent)).boxed(),
        };
        async move {
            let outcome = answered(ANSWER, statement).await;
            *spent = outcome.as_ref().is_err_and(is_silence);
            outcome
        }
        .boxed()
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        let Some(Inner::Pooled(mut conn)) = self.inner.take() else { return };
        match Handle::try_current() {
            // The pool alone would wait for its last answer for ever, and have one connection less for so long.
            Ok(runtime) if !self.spent => {
                runtime.spawn(timeout(FAREWELL, conn.return_to_pool()));
            }
            // Spent, or outside a runtime, where nobody could wait for its last answer.
            _ => drop(conn.detach()),
        }
    }
}

async fn answered<T>(
    limit: Duration,
    future: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(limit, future).await.unwrap_or_else(|_| Err(silence()))
}

fn silence() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

pub(super) fn is_silence(err: &sqlx::Error) -> bool {
    matches!(err, sqlx::Error::Io(err) if err.kind() == std::io::ErrorKind::TimedOut)
}

impl<'c> Executor<'c> for &'c mut Conn {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let (conn, spent) = match self.parts() {
            Ok(parts) => parts,
            Err(spent) => return stream::iter([Err(spent)]).boxed(),
        };
        let mut steps = Some(conn.fetch_many(query));
        // Only while there is nothing to take: most rows are there with the one before.
        let mut patience: Option<Pin<Box<Sleep>>> = None;
        stream::poll_fn(move |cx| {
            let Some(answer) = steps.as_mut() else { return Poll::Ready(None) };
            if let Poll::Ready(step) = answer.poll_next_unpin(cx) {
                patience = None;
                return Poll::Ready(step);
            }
            ready!(patience.get_or_insert_with(|| Box::pin(sleep(ANSWER))).as_mut().poll(cx));
            *spent = true;
            steps = None;
            Poll::Ready(Some(Err(silence())))
        })
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.heard(|conn| conn.fetch_optional(query))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        self.heard(|conn| conn.prepare_with(sql, parameters))
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        self.heard(|conn| conn.describe(sql))
    }
}
