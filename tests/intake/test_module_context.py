"""What a job's module may reach, when the job is queued: known, unknown, and not to be had now."""

import asyncio
import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from pw_modules.author import Author, packed

from pageworker_supervisor.contract.context_key import NO_EGRESS, egress_digest
from pageworker_supervisor.intake import module_egress
from pageworker_supervisor.intake.module_egress import ModuleEgress
from pageworker_supervisor.registry import Registry


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "registry"


async def test_a_job_is_queued_with_the_set_of_its_release(place: Path, tmp_path: Path) -> None:
    author = Author()
    await author.publish(place, packed(version="1.0.0", more='egress = ["a.test"]\n'))
    await author.publish(place, packed(version="2.0.0", more='egress = ["B.test.", "a.test"]\n'))
    modules = ModuleEgress(await Registry.open(place, author.trust, tmp_path / "state"))
    assert await modules.digest("shop.product", None) == egress_digest(["a.test", "b.test"])
    assert await modules.digest("shop.product", "1.0.0") == egress_digest(["a.test"])
    assert await modules.digest("shop.product", "3.0.0") == NO_EGRESS
    assert await modules.digest("shop.unknown", None) == NO_EGRESS


async def test_a_registry_that_is_away_holds_up_the_first_job_only(place: Path, tmp_path: Path) -> None:
    author = Author()
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    shutil.rmtree(place)
    modules = ModuleEgress(registry)
    assert await modules.digest("shop.product", None) == NO_EGRESS
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    assert await modules.digest("shop.product", None) == NO_EGRESS, "it rests"
    modules._backoff_until = time.monotonic()
    assert await modules.digest("shop.product", None) == egress_digest(["a.test"])


async def test_a_worker_without_free_descriptors_queues_the_job_all_the_same(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = Author()
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    modules = ModuleEgress(registry)

    async def no_descriptor(release: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(registry, "bundle", no_descriptor)
        assert await modules.digest("shop.product", None) == NO_EGRESS
    modules._backoff_until = time.monotonic()
    assert await modules.digest("shop.product", None) == egress_digest(["a.test"])


async def test_a_slow_registry_holds_up_no_longer_than_a_moment(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = Author()
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    asked = 0

    async def never(release: object) -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(registry, "bundle", never)
    monkeypatch.setattr(module_egress, "FETCH_SECONDS", 0.05)
    modules = ModuleEgress(registry)
    for _ in range(3):
        assert await modules.digest("shop.product", None) == NO_EGRESS
    assert asked == 1
