//! What the database's superuser can do, who knows how entries are hashed: `docs/audit-export.md` in SQL.

use sqlx::AssertSqlSafe;
use test_support::Harness;

const TOOLS: &str = r"
ALTER TABLE audit.entries DISABLE TRIGGER USER;
ALTER TABLE audit.checkpoints DISABLE TRIGGER USER;

CREATE FUNCTION audit.field(bytes bytea) RETURNS bytea LANGUAGE sql AS $$
    SELECT int8send(length(bytes)::bigint) || bytes
$$;

CREATE FUNCTION audit.field(words text) RETURNS bytea LANGUAGE sql AS $$
    SELECT audit.field(convert_to(words, 'UTF8'))
$$;

CREATE FUNCTION audit.hash_of(entry audit.entries, previous bytea) RETURNS bytea LANGUAGE sql AS $$
    SELECT sha256(
        audit.field('sitepass audit 1'::text) || audit.field(previous) || audit.field(int8send(entry.position))
        || audit.field(uuid_send(entry.site_id)) || audit.field(uuid_send(entry.event_id))
        || audit.field(entry.event_type) || audit.field(entry.actor) || audit.field(entry.role)
        || audit.field(entry.action) || audit.field(entry.target_type) || audit.field(entry.target_id)
        || audit.field(entry.before) || audit.field(entry.after) || audit.field(entry.reason)
        || audit.field(entry.address) || audit.field(entry.trace_id)
        || audit.field(int8send((extract(epoch FROM entry.at) * 1000000)::bigint)))
$$;

-- Makes every hash from a place on fit what stands there, and the head too.
CREATE FUNCTION audit.reseal(from_position bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    entry audit.entries;
    previous bytea := coalesce((SELECT hash FROM audit.entries WHERE position = from_position - 1), decode(repeat('00', 32), 'hex'));
BEGIN
    FOR entry IN SELECT * FROM audit.entries WHERE position >= from_position ORDER BY position LOOP
        UPDATE audit.entries SET previous_hash = previous, hash = audit.hash_of(entry, previous)
        WHERE position = entry.position RETURNING hash INTO previous;
    END LOOP;
    UPDATE audit.heads SET position = coalesce((SELECT max(position) FROM audit.entries), 0), hash = previous;
END
$$;";

/// Puts an entry at a place of the one chain, sealed as an honest one behind its last; the head stays where it is.
pub(crate) fn entry_at(position: u64) -> String {
    format!(
        "INSERT INTO audit.entries
         SELECT site_id, {position}, gen_random_uuid(), event_type, actor, role, action, target_type, target_id, before,
                after, reason, address, trace_id, at, hash, hash FROM audit.entries ORDER BY position DESC LIMIT 1;
         UPDATE audit.entries SET hash = audit.hash_of(entries, previous_hash) WHERE position = {position};"
    )
}

/// Runs statements as superuser with every trigger off.
pub(crate) async fn force(harness: &Harness, statements: &str) {
    let admin = harness.database.admin();
    let known: bool = sqlx::query_scalar("SELECT to_regproc('audit.reseal') IS NOT NULL")
        .fetch_one(&admin)
        .await
        .unwrap();
    let tools = if known { "" } else { TOOLS };
    sqlx::raw_sql(AssertSqlSafe(format!("{tools}{statements}"))).execute(&admin).await.unwrap();
}
