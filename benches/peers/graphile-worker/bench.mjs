// graphile-worker doing the work that is measured. One argument: what to do, as JSON. Answers are lines of JSON.
import { performance } from "node:perf_hooks";
import { Logger, run, runMigrations } from "graphile-worker";
import { connect } from "nats";
import pg from "pg";

const order = JSON.parse(process.argv[2]);
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const silent = new Logger(() => () => {});

// What its page on performance was measured with, and recommends.
const preset = {
  worker: {
    connectionString: order.database,
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};
const start = (taskList) => run({ preset, taskList, logger: silent, noHandleSignals: true });

async function migrated() {
  await runMigrations({ preset, logger: silent });
  const client = new pg.Client({ connectionString: order.database });
  await client.connect();
  return client;
}

async function left(client) {
  const { rows } = await client.query("SELECT count(*)::int AS jobs FROM graphile_worker.jobs");
  return rows[0].jobs;
}

/// Each job publishes one message to JetStream and waits for its acknowledgement.
async function publish() {
  const client = await migrated();
  await client.query(
    `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
       SELECT ROW('publish', json_build_object('id', n, 'body', $2::text), NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec
       FROM generate_series(1, $1::int) AS n))`,
    [order.jobs, order.body],
  );
  await client.query("VACUUM ANALYZE");
  const nats = await connect({ servers: order.nats });
  const jetstream = nats.jetstream();
  const encoder = new TextEncoder();
  let done = 0;
  let doubled = 0;
  let finished;
  const all = new Promise((resolve) => (finished = resolve));
  const began = performance.now();
  const runner = await start({
    publish: async (payload) => {
      const ack = await jetstream.publish(order.subject, encoder.encode(payload.body), { msgID: String(payload.id) });
      doubled += ack.duplicate ? 1 : 0;
      done += 1;
      if (done === order.jobs) finished();
    },
  });
  await all;
  while ((await left(client)) > 0);
  const seconds = (performance.now() - began) / 1000;
  await runner.stop();
  await nats.close();
  await client.end();
  answer({ seconds, done, doubled });
}

/// Waits for jobs and says how long after their `intended_us` (machine time) each began.
async function listen() {
  const client = await migrated();
  await client.end();
  const latencies = new Array(order.jobs).fill(null);
  let began = 0;
  let finished;
  const all = new Promise((resolve) => (finished = resolve));
  const runner = await start({
    begin: async (payload) => {
      latencies[payload.id] = (performance.timeOrigin + performance.now()) * 1000 - payload.intended_us;
      began += 1;
      if (began === order.jobs) finished();
    },
  });
  answer({ ready: true });
  await all;
  await runner.stop();
  answer({ latencies_us: latencies.map((latency) => Math.round(latency)), began });
}

await { publish, listen }[order.task]();
