"""Entries that the signed index does not permit: reported once, on the fleet's channel, in the log and in a metric."""

import json

from pw_queue import plain_client
from pw_servers import RedisServer

from pageworker_sandbox.signing import IndexedModule, IndexedVersion
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import connect
from pageworker_supervisor.rollouts.refusals import RefusedEntries
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry
from pageworker_supervisor.telemetry.metrics import Metrics

ENTRIES = {"shop": RolloutEntry(replaced={"1.0.0": "9.9.9"}), "news": RolloutEntry(replaced={"1.0.0": "1.1.0"})}


async def test_what_the_index_does_not_permit_is_reported_once(live_redis: RedisServer) -> None:
    versions = {each: IndexedVersion(sha256="0" * 64, bytes=1) for each in ("1.0.0", "1.1.0")}
    redis_client, own, metrics = connect(RedisSettings(url=live_redis.url)), plain_client(live_redis.port), Metrics()
    try:
        refused = RefusedEntries(redis_client, "pw", "w1", lambda _: IndexedModule(versions=versions), metrics)
        async with own.pubsub() as events:
            await events.subscribe("pw:events:_fleet")
            for _ in range(2):
                await refused.report(ENTRIES)
            await own.publish("pw:events:_fleet", b"{}")
            told = []
            while b"{}" not in told:
                event = await events.get_message(ignore_subscribe_messages=True, timeout=5)
                told += [event["data"]] if event else []
        assert [json.loads(text)["detail"]["version"] for text in told[:-1]] == ["9.9.9"]
        assert b"pageworker_rollout_versions_refused 1.0" in metrics.expose()
        await refused.report({})
        assert b"pageworker_rollout_versions_refused 0.0" in metrics.expose()
    finally:
        await redis_client.aclose()
        await own.aclose()
