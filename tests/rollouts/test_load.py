"""Changes of rollouts under load, few of them: `make rollouts` makes 50 on four workers."""

from pw_servers import RedisServer

from rollouts.load import rollouts_under_load


async def test_no_job_is_lost_or_runs_a_version_that_it_may_not_run(live_redis: RedisServer) -> None:
    found = await rollouts_under_load(live_redis, workers=2, changes=9, seed=1)
    assert found.changes.total() == 9
    assert set(found.changes) >= {"publish", "rollout", "promote", "rollback"}
    assert (found.answered, found.wrong_versions) == (found.jobs, ())
    assert set(found.statuses) == {"succeeded"}, found.statuses
