//! I10: each slot of each job ran once. What a job ran is in `job_runs`, what it missed is written beside it; together
//! they must be the job's cadence, slot by slot. Intervals and times of day are known here; other cron lines are not.

/// A slot that began is over, was not given up, and was not begun once more after it had ended.
pub(super) const ENDED: &str = "WITH runs AS ({runs})
     SELECT job || ' at ' || slot || ': ' || CASE
         WHEN finished_at < started_at THEN 'begun again after it had ended'
         ELSE coalesce(outcome, 'begun and never over')
     END FROM runs
     WHERE outcome LIKE 'given up%' OR finished_at < started_at
        OR (finished_at IS NULL AND started_at < statement_timestamp() - interval '2 minutes')";

/// Between a slot and the one before it lie as many as it says that it makes good: fewer were run twice, more were
/// never run.
pub(super) const STEPS: &str = "WITH runs AS ({runs}), jobs AS ({jobs}), timed AS (
         SELECT job, cadence, zone, slot, missed, lag(slot) OVER (PARTITION BY service, job ORDER BY slot) AS before
         FROM runs JOIN jobs USING (service, job) WHERE key = ''
     ), steps AS (
         SELECT job, slot, before, missed, CASE
             WHEN cadence ~ '^every [0-9]+ s$'
             THEN extract(epoch FROM slot - before) / substring(cadence FROM '[0-9]+')::numeric
             WHEN cadence ~ '^every [0-9]+ ms$'
             THEN extract(epoch FROM slot - before) * 1000 / substring(cadence FROM '[0-9]+')::numeric
             WHEN cadence ~ '^[0-9]+ [0-9]+ [0-9]+ [*] [*] [*]$'
             THEN (slot AT TIME ZONE zone)::date - (before AT TIME ZONE zone)::date
         END AS steps
         FROM timed WHERE before IS NOT NULL
     )
     SELECT job || ' at ' || slot || ': ' || missed || ' missed, and ' || round(steps, 2) || ' slots since ' || before
     FROM steps WHERE steps <> missed + 1";

/// The newest slot has a row and is not to come, further than clocks are apart; the next is not long past.
pub(super) const NEWEST: &str = "WITH runs AS ({runs}), jobs AS ({jobs}), timed AS (
         SELECT *, CASE
             WHEN cadence ~ '^every [0-9]+ s$' THEN substring(cadence FROM '[0-9]+')::bigint * interval '1 second'
             WHEN cadence ~ '^every [0-9]+ ms$' THEN substring(cadence FROM '[0-9]+')::bigint * interval '1 millisecond'
             WHEN cadence ~ '^[0-9]+ [0-9]+ [0-9]+ [*] [*] [*]$' THEN interval '25 hours'
         END AS step FROM jobs
     )
     SELECT job || CASE
         WHEN last_slot IS NULL THEN ' has never run'
         WHEN last_slot < statement_timestamp() - step THEN ' ran last at ' || last_slot
         WHEN last_slot > statement_timestamp() + interval '10 minutes' THEN ' has run at ' || last_slot || ', which is to come'
         ELSE ' at ' || last_slot || ' has no row'
     END FROM timed
     WHERE step IS NOT NULL AND disabled_at IS NULL AND (
         last_slot IS NULL
         OR last_slot < statement_timestamp() - step - interval '15 seconds'
         OR last_slot > statement_timestamp() + interval '10 minutes'
         OR NOT EXISTS (
             SELECT FROM runs
             WHERE runs.service = timed.service AND runs.job = timed.job AND key = '' AND slot = timed.last_slot
         )
     )";

/// One job's effects, counted: a run of the log's checkpoints that changed something wrote one, any other none.
pub(super) const EFFECTS: &str = "WITH runs AS ({runs})
     SELECT job || ' at ' || slot || ' (' || outcome || ') wrote ' || count(number) || ' checkpoints'
     FROM runs LEFT JOIN audit.checkpoints ON checkpoints.at BETWEEN started_at AND finished_at
     WHERE job = 'audit.checkpoint' AND (outcome LIKE 'changed%' OR outcome = 'nothing to do')
     GROUP BY job, slot, key, outcome
     HAVING count(number) <> CASE WHEN outcome LIKE 'changed%' THEN 1 ELSE 0 END";
