"""Few watchers: `make rollouts` has 100."""

from pw_servers import RedisServer

from rollouts.watchers import delays_of_rollbacks, percentile


async def test_every_watcher_knows_of_a_rollback_at_once(live_redis: RedisServer) -> None:
    delays = await delays_of_rollbacks(live_redis.port, watchers=8, rollbacks=3, processes=1, others=5)
    assert len(delays) == 24
    assert percentile(delays, 0.99) < 2.0
