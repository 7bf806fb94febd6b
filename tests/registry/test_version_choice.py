"""Which version a job gets: one table over pins, channels, replacements and rollouts."""

from typing import Any

import pytest
from msgspec.structs import replace

from pageworker_sandbox.signing import IndexedModule, IndexedVersion
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.registry.errors import ModuleUnknown
from pageworker_supervisor.registry.version_choice import (
    VersionWish,
    WorkerScope,
    choose_version,
    not_permitted,
    scope_of,
    share_of,
)
from pageworker_supervisor.rollouts.rollout_entry import Rollout, RolloutEntry
from pageworker_supervisor.rollouts.rollout_state import RolloutState

OLD, NEW, NEXT = "1.0.0", "1.1.0", "2.0.0"
JOB = JobRef("acme", "17")


def listed(*yanked: str, **channels: str) -> IndexedModule:
    versions = {v: IndexedVersion(sha256="0" * 64, bytes=1, yanked=v in yanked) for v in (OLD, NEW, NEXT)}
    return IndexedModule(versions=versions, channels=channels or {"stable": OLD, "canary": NEXT})


def rollout(state: RolloutState = RolloutState.RUNNING, **more: Any) -> Rollout:
    return Rollout(
        **{
            "id": "r1",
            "from_version": OLD,
            "to_version": NEW,
            "state": state,
            "percent": 100.0,
            "who": "ann",
            "why": "",
            "started_at_ms": 1,
            "changed_at_ms": 1,
            **more,
        }
    )


RUNNING = RolloutEntry(rollout=rollout())
NONE_YET = RolloutEntry(rollout=rollout(percent=1e-9))
CANARY = WorkerScope(("canary", "stable"), ("canary",))
PLAIN = WorkerScope()


@pytest.mark.parametrize(
    ("wish", "scope", "entry", "version", "reason"),
    [
        (VersionWish(), PLAIN, None, OLD, "channel"),
        (VersionWish(), CANARY, None, NEXT, "channel"),
        (VersionWish(), WorkerScope(("beta", "canary", "stable")), None, NEXT, "channel"),
        # Pins go before everything else: the job's, then the tenant's.
        (VersionWish(pin=NEXT, tenant_pin=NEW, job=JOB), CANARY, RUNNING, NEXT, "job's pin"),
        (VersionWish(tenant_pin=NEXT, job=JOB), PLAIN, RUNNING, NEXT, "tenant's pin"),
        (VersionWish(pin=NEW), PLAIN, RolloutEntry(replaced={NEW: OLD}, rolled_back=(NEW,)), NEW, "job's pin"),
        # A running rollout: its share, its tags, its channel, and only of jobs that would get its old version.
        (VersionWish(job=JOB), PLAIN, RUNNING, NEW, "rollout"),
        (VersionWish(job=JOB), PLAIN, NONE_YET, OLD, "rollout"),
        (VersionWish(), PLAIN, RUNNING, OLD, "rollout"),
        (VersionWish(job=JOB), CANARY, RUNNING, NEXT, "channel"),
        (VersionWish(job=JOB), PLAIN, RolloutEntry(rollout=rollout(tags=("a", "b"))), OLD, "channel"),
        (
            VersionWish(job=JOB),
            WorkerScope(tags=("b",)),
            RolloutEntry(rollout=rollout(tags=("a", "b"))),
            NEW,
            "rollout",
        ),
        (VersionWish(job=JOB), PLAIN, RolloutEntry(rollout=rollout(channel="beta")), OLD, "channel"),
        (VersionWish(job=JOB), WorkerScope(("beta",)), RolloutEntry(rollout=rollout(channel="beta")), OLD, None),
        # A job keeps the version of its last attempt while the rollout runs.
        (VersionWish(job=JOB, kept=NEW), PLAIN, NONE_YET, NEW, "rollout"),
        (VersionWish(job=JOB, kept=OLD), PLAIN, RUNNING, OLD, "rollout"),
        (VersionWish(job=JOB, kept=NEXT), PLAIN, RUNNING, NEW, "rollout"),
        (VersionWish(job=JOB, kept=NEW), PLAIN, RolloutEntry(rollout=rollout(RolloutState.STOPPED)), OLD, "channel"),
        # Promotions and rollbacks are replacements, over several steps.
        (VersionWish(job=JOB), PLAIN, RolloutEntry(replaced={OLD: NEW}), NEW, "replacement"),
        (VersionWish(job=JOB), PLAIN, RolloutEntry(replaced={OLD: NEW, NEW: NEXT}), NEXT, "replacement"),
        (VersionWish(job=JOB), CANARY, RolloutEntry(replaced={NEXT: OLD}), OLD, "replacement"),
        (VersionWish(job=JOB), PLAIN, RolloutEntry(replaced={OLD: NEW, NEW: OLD}), OLD, "channel"),
        # What the signed index does not permit counts as not there.
        (VersionWish(job=JOB), PLAIN, RolloutEntry(replaced={OLD: "9.9.9"}), OLD, "channel"),
        (VersionWish(job=JOB), PLAIN, RolloutEntry(rollout=rollout(to_version="9.9.9")), OLD, "channel"),
        (VersionWish(job=JOB), PLAIN, RolloutEntry(rollout=rollout(), withdrawn=(NEW,)), OLD, "channel"),
    ],
)
def test_which_version_a_job_gets(
    wish: VersionWish, scope: WorkerScope, entry: RolloutEntry | None, version: str, reason: str | None
) -> None:
    if reason is None:
        channels = listed(beta=OLD)
        assert choose_version("a", channels, wish, scope, entry).version == NEW
        return
    choice = choose_version("a", listed(), wish, scope, entry)
    assert (choice.version, choice.reason) == (version, reason)
    assert (choice.rollout is not None) == (reason == "rollout")


def test_a_yanked_version_of_an_entry_counts_as_not_there() -> None:
    promoted = RolloutEntry(replaced={OLD: NEW})
    assert choose_version("a", listed(NEW), VersionWish(job=JOB), PLAIN, promoted).version == OLD
    assert choose_version("a", listed(NEW), VersionWish(job=JOB), PLAIN, RUNNING).version == OLD
    assert not_permitted(listed(NEW), promoted) == (NEW,)
    assert not_permitted(listed(), promoted) == ()
    assert not_permitted(None, RUNNING) == (OLD, NEW)
    assert not_permitted(None, RolloutEntry(rollout=rollout(RolloutState.STOPPED))) == ()


@pytest.mark.parametrize(
    ("wish", "entry", "message"),
    [
        (VersionWish(pin="1.0.1"), None, r"a has no version 1.0.1; did you mean 1.1.0\?|did you mean 1.0.0"),
        (VersionWish(tenant_pin="7.0.0"), None, "the pin of the tenant names it"),
        (VersionWish(pin=NEW), RolloutEntry(withdrawn=(NEW,)), "was yanked by an operator"),
        (VersionWish(), RolloutEntry(withdrawn=(OLD,)), "was yanked by an operator"),
    ],
)
def test_a_version_that_must_not_run_is_refused(wish: VersionWish, entry: RolloutEntry | None, message: str) -> None:
    with pytest.raises(ModuleUnknown, match=message):
        choose_version("a", listed(), wish, PLAIN, entry)


def test_a_version_that_its_publisher_yanked_is_refused_even_for_a_pin() -> None:
    with pytest.raises(ModuleUnknown, match="yanked by its publisher"):
        choose_version("a", listed(NEXT), VersionWish(pin=NEXT), PLAIN)


def test_a_module_without_the_workers_channels_is_unknown() -> None:
    with pytest.raises(ModuleUnknown, match=r"neither the channel canary nor stable \(it has: beta"):
        choose_version("a", listed(beta=OLD), VersionWish(), CANARY)


@pytest.mark.parametrize(
    ("tags", "channels"),
    [
        ((), ("main", "stable")),
        (("x",), ("main", "stable")),
        (("gpu",), ("gpu-channel", "main", "stable")),
        (("gpu", "canary"), ("canary", "main", "stable")),
        (("plain",), ("stable", "main")),
    ],
)
def test_the_first_tag_of_the_table_chooses_the_channel(tags: tuple[str, ...], channels: tuple[str, ...]) -> None:
    table = {"canary": "canary", "gpu": "gpu-channel", "plain": "stable"}
    assert scope_of(tags, table, "main") == WorkerScope(channels, tags)


def test_a_share_is_stable_and_a_larger_one_keeps_the_jobs_of_a_smaller_one() -> None:
    def of(percent: float, to: str = NEW) -> set[str]:
        entry = RolloutEntry(rollout=rollout(percent=percent, to_version=to))
        jobs = [JobRef("acme", str(number)) for number in range(4000)]
        return {
            job.job_id
            for job in jobs
            if choose_version("a", listed(), VersionWish(job=job), PLAIN, entry).version != OLD
        }

    ten, twenty = of(10), of(20)
    assert ten < twenty, "each job keeps the new version while the share grows"
    # 4000 jobs: five standard deviations are 95 and 127.
    assert abs(len(ten) - 400) < 95
    assert abs(len(twenty) - 800) < 127
    other = of(20, NEXT)
    # Independent: 160 in both, five standard deviations are 62.
    assert abs(len(twenty & other) - 160) < 62, "another rollout takes other jobs"


def test_jobs_of_two_tenants_with_one_id_stand_apart() -> None:
    each = rollout()
    assert share_of("a", each, JobRef("acme", "1")) != share_of("a", each, JobRef("bolt", "1"))
    assert share_of("a", each, JOB) == share_of("a", replace(each, percent=3.0, who="bob"), JOB)
