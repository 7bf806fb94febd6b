"""The release of an attempt: the version of the attempt before, and one more look for an unknown module."""

import time
from pathlib import Path

import pytest
from pw_leases import new_lease
from pw_modules.author import Author, packed

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.dispatch.chosen_release import chosen_release
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import ModuleUnknown
from pageworker_supervisor.registry.version_choice import WorkerScope
from pageworker_supervisor.rollouts.rollout_entry import NO_ENTRY, RolloutAuthor, RolloutEntry, start

PAST = b'{"attempt":1,"started_at":"2026-11-27T09:00:00Z","duration_seconds":1,"outcome":"failed","worker_id":"w1",'


class TinyShare:
    """A rollout that takes no job by itself."""

    def scope(self) -> WorkerScope:
        return WorkerScope()

    def tenant_pin(self, tenant_id: str, module: str) -> None:
        pass

    def entry(self, module: str) -> RolloutEntry:
        return start(NO_ENTRY, "r", ("1.0.0", "1.1.0"), RolloutAuthor("ann", "", 0), percent=1e-9)


async def test_a_job_keeps_the_version_of_its_last_attempt(tmp_path: Path) -> None:
    author, place = Author(), tmp_path / "registry"
    for version, channel in (("1.0.0", "stable"), ("1.1.0", "next")):
        await author.publish(place, packed("shop.product", version), channel)
    registry = await Registry.open(place, author.trust, tmp_path / "state", rules=TinyShare())
    job = Job(job_id="j", tenant_id="acme", endpoint_module="shop.product")
    first = await chosen_release(registry, job, new_lease(), time.monotonic())
    assert (first.version, first.rollout is not None) == ("1.0.0", True)
    again = new_lease(attempts=(PAST + b'"module_version":"1.1.0"}',))
    assert (await chosen_release(registry, job, again, time.monotonic())).version == "1.1.0"
    no_version = new_lease(attempts=(PAST + b'"module_version":null}',))
    assert (await chosen_release(registry, job, no_version, time.monotonic())).version == "1.0.0"


async def test_a_module_that_was_published_since_the_last_look_is_found(tmp_path: Path) -> None:
    author, place = Author(), tmp_path / "registry"
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    job = Job(job_id="j", tenant_id="acme", endpoint_module="shop.product")
    with pytest.raises(ModuleUnknown):
        await chosen_release(registry, job, new_lease(), 0.0)
    await author.publish(place, packed("shop.product", "1.0.0"))
    assert (await chosen_release(registry, job, new_lease(), time.monotonic())).version == "1.0.0"
