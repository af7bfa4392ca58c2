"""PgQueuer doing the work that is measured. One argument: what to do, as JSON. The answer is a line of JSON."""

import json
import sys
import time

import asyncpg
import nats
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

EFFECT = """
WITH fresh AS (
    INSERT INTO effects_seen (event_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING event_id
)
INSERT INTO effects (key, events) SELECT $2, 1 FROM fresh
ON CONFLICT (key) DO UPDATE SET events = effects.events + 1
"""
# The pool of its guide on performance.
CONCURRENT_EFFECTS = 20


async def filled(order: dict, bodies: list[bytes]) -> asyncpg.Connection:
    """Installs the queue as durable as its default, with the vacuum settings its guide asks for, and fills it."""
    connection = await asyncpg.connect(order["database"])
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    await queries.optimize_autovacuum()
    for first in range(0, len(bodies), 1000):
        part = bodies[first : first + 1000]
        await queries.enqueue(["work"] * len(part), part, [0] * len(part))
    await connection.execute("VACUUM ANALYZE")
    return connection


async def drained(order: dict, connection: asyncpg.Connection, work) -> float:
    """Seconds from the start of the queue's manager until each job is done and marked done."""
    queue = PgQueuer(AsyncpgDriver(connection))
    queue.entrypoint("work")(work)
    began = time.perf_counter()
    await queue.run(batch_size=order["batch"], mode=QueueExecutionMode.drain)
    return time.perf_counter() - began


async def publish(order: dict) -> dict:
    """Each job publishes one message to JetStream and waits for its acknowledgement."""
    body = order["body"].encode()
    connection = await filled(order, [b"%d " % job + body for job in range(order["jobs"])])
    client = await nats.connect(order["nats"])
    jetstream = client.jetstream()
    counts = {"done": 0, "doubled": 0}

    async def work(job: Job) -> None:
        number, _, body = job.payload.partition(b" ")
        ack = await jetstream.publish(order["subject"], body, headers={"Nats-Msg-Id": number.decode()})
        counts["done"] += 1
        counts["doubled"] += 1 if ack.duplicate else 0

    seconds = await drained(order, connection, work)
    await client.close()
    await connection.close()
    return {"seconds": seconds, **counts}


async def effects(order: dict) -> dict:
    """Each job inserts its id once and counts up its key, in one statement, which is one transaction."""
    keys = order["keys"]
    connection = await filled(order, [b"%d %d" % (job, job % keys) for job in range(order["jobs"])])
    await connection.execute("CREATE TABLE effects_seen (event_id bigint PRIMARY KEY)")
    await connection.execute("CREATE TABLE effects (key text PRIMARY KEY, events bigint NOT NULL)")
    pool = await asyncpg.create_pool(order["database"], min_size=CONCURRENT_EFFECTS, max_size=CONCURRENT_EFFECTS)
    counts = {"done": 0}

    async def work(job: Job) -> None:
        number, key = job.payload.split(b" ")
        await pool.execute(EFFECT, int(number), key.decode())
        counts["done"] += 1

    seconds = await drained(order, connection, work)
    stored = await pool.fetchval("SELECT sum(events)::bigint FROM effects")
    await pool.close()
    await connection.close()
    return {"seconds": seconds, "stored": stored, **counts}


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    print(json.dumps(uvloop.run({"publish": publish, "effects": effects}[order["task"]](order))))
