"""What the queue is told after a blocked attempt, and what the job then has."""

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from prometheus_client.samples import Sample
from pw_doubles import any_typed
from pw_leases import new_lease
from pw_settled import RecordedQueue, attempt, outcome

from pageworker_sandbox.wire.messages import Obstacle
from pageworker_supervisor.config.blocker_settings import BlockerPolicy
from pageworker_supervisor.config.settings import JobSettings, TenantSettings
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import Blocker
from pageworker_supervisor.dispatch.blocker_response import BlockerResponse, ProfileCools
from pageworker_supervisor.dispatch.login_reports import LoginReports
from pageworker_supervisor.dispatch.settlement import Settlement
from pageworker_supervisor.queue.pauses import PauseChange
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.telemetry.metrics import Metrics

OBSTACLE = Obstacle(kind="captcha", provider="guard", evidence={}, url="https://shop.example/blocked")
PAUSED = PauseChange(changed=True, answered=(0,))
AWAY = RedisUnavailable("away")


def job(profile: str | None = None) -> Job:
    payload = msgspec.Raw(b'{"url": "https://shop.example/"}')
    return Job(job_id="j", tenant_id="acme", endpoint_module="shop.product", profile_id=profile, payload=payload)


class Scene:
    """A settlement whose queue, cooling and pauses are recorded."""

    def __init__(self, **policies: BlockerPolicy) -> None:
        self.queue, self.cooling, self.pauses = (any_typed(RecordedQueue()) for _ in range(3))
        self.metrics = Metrics()
        found = {"*" if kind == "every" else kind: policy for kind, policy in policies.items()}
        tenant = TenantSettings(blockers=any_typed(found))
        self.response = BlockerResponse(lambda _: tenant, self.cooling, self.pauses, self.metrics)
        logins = LoginReports(self.queue, self.metrics, 60)
        self.settlement = Settlement(
            *("w1.abc", "w1", JobSettings(max_retries=3), self.queue, self.queue, self.metrics, logins),
            blockers=self.response,
        )

    async def blocked(self, profile: str | None = None, **changes: Any) -> tuple[str, Any, Any]:
        """The queue call of a blocked attempt: its name, the blocker or the record, and the event."""
        retired: list[str] = []
        one = attempt()
        one.job, one.lease = job(profile), new_lease(**changes)
        one.runner = SimpleNamespace(retire=lambda why, restart: retired.append(why))
        await self.settlement.attempt_ended(one, msgspec.structs.replace(outcome("blocked"), obstacle=OBSTACLE))
        (name, arguments, more) = self.queue.calls[-1]
        self.retired = retired
        if name == "finish":
            (event,) = more["events"]
            return name, json.loads(arguments[2])["blocker"], json.loads(event)
        return name, json.loads(arguments[2]), json.loads(arguments[3][0])

    def counted(self, action: str) -> float:
        values = {
            sample.labels["action"]: sample.value for sample in _samples(self.metrics) if sample.name.endswith("_total")
        }
        return values.get(action, 0.0)


def _samples(metrics: Metrics) -> list[Sample]:
    return [sample for metric in metrics.jobs.blocker_actions.collect() for sample in metric.samples]


async def test_without_a_policy_the_job_ends_as_before() -> None:
    scene = Scene(challenge=BlockerPolicy(retries=1))
    name, blocker, event = await scene.blocked()
    assert (name, event["event"]) == ("finish", "blocked")
    assert "actions" not in blocker
    assert scene.retired == []


async def test_a_retry_elsewhere_is_in_record_event_and_metric() -> None:
    scene = Scene(captcha=BlockerPolicy(retries=1, delay_seconds=10, proxy="other"))
    name, record, event = await scene.blocked()
    assert name == "retry"
    assert 10_000 <= scene.queue.calls[-1][1][1] <= 11_000
    actions = record["blocker"]["actions"]
    assert (record["outcome"], record["blocker"]["kind"], actions["proxy"]) == ("blocked", "captcha", "other")
    assert (event["event"], event["error"]["type"], event["detail"]["actions"]) == ("retrying", "blocked", actions)
    assert len(scene.retired) == 1
    assert (scene.counted("retry"), scene.counted("proxy"), scene.counted("pause_domain")) == (1, 1, 0)
    again = msgspec.json.encode(record)
    assert (await scene.blocked(attempts=(again,), attempt=2))[0] == "finish"


async def test_a_profile_cools_down_and_is_not_tried_again_hot() -> None:
    scene = Scene(every=BlockerPolicy(retries=1, delay_seconds=0, cool_profile_seconds=600))
    name, record, _ = await scene.blocked("p1")
    assert name == "retry"
    assert scene.queue.calls[-1][1][1] >= 600_000
    assert scene.cooling.calls == [("cool", ("acme", "p1", 600.0), {})]
    assert record["blocker"]["actions"]["cool_profile"] == 600.0
    assert scene.retired == [], "its profile is not another one on another runner"
    cold = Scene(every=BlockerPolicy(retries=1))
    assert (await cold.blocked("p1"))[0] == "finish"
    away = Scene(every=BlockerPolicy(retries=1, cool_profile_seconds=600))
    away.cooling.answers = [AWAY]
    name, blocker, _ = await away.blocked("p1")
    assert (name, "actions" in blocker) == ("finish", False)


async def test_the_domain_is_paused_and_an_operators_pause_stays() -> None:
    scene = Scene(every=BlockerPolicy(pause_domain_seconds=300))
    scene.pauses.answers = [PAUSED, PauseChange(changed=False, failed={0: "away"})]
    _, blocker, event = await scene.blocked()
    assert blocker["actions"] == event["detail"]["actions"] == {"pause_domain": 300.0}
    ((name, arguments, more),) = scene.pauses.calls
    assert (name, arguments[:2], arguments[4], more) == ("pause", ("domain", "shop.example"), 300.0, {"keep": True})
    assert "captcha by guard" in arguments[2]
    _, blocker, _ = await scene.blocked()
    assert "actions" not in blocker
    assert scene.counted("pause_domain") == 1


async def test_a_job_of_a_cool_profile_starts_and_one_of_a_cooling_one_does_not() -> None:
    scene = Scene(every=BlockerPolicy(cool_profile_seconds=600))
    scene.cooling.answers = [0.0, 12.0]
    await scene.settlement.check_cooling(job("p1"))
    with pytest.raises(ProfileCools, match="p1 cools down after a blocker, for 12 s more") as cools:
        await scene.settlement.check_cooling(job("p1"))
    assert (cools.value.defer_seconds, cools.value.cause) == (12.0, "cool_down")
    await scene.settlement.check_cooling(job())
    await Scene(every=BlockerPolicy(retries=1)).settlement.check_cooling(job("p1"))
    assert len(scene.cooling.calls) == 2


async def test_a_page_elsewhere_pauses_no_domain() -> None:
    scene = Scene(every=BlockerPolicy(pause_domain_seconds=300))
    blocker = Blocker(kind="captcha", url="https://victim.example/")
    one = attempt()
    one.job, one.lease = job(), new_lease()
    steps = await scene.response.respond(one, blocker, may_retry=True, jitter=0)
    assert steps.actions == {}
    assert scene.pauses.calls == []


async def test_a_local_run_follows_no_policies() -> None:
    scene = Scene(every=BlockerPolicy(retries=1, cool_profile_seconds=600, pause_domain_seconds=300))
    local = dataclasses.replace(scene.response, is_local=True)
    scene.settlement.blockers = local
    assert (await scene.blocked("p1"))[0] == "finish"
    await local.check_cooling(job("p1"))
    assert scene.cooling.calls == scene.pauses.calls == []
