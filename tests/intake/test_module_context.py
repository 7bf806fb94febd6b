"""Which context a job needs, when it is queued: known, unknown, and not to be had now."""

import asyncio
import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from pw_modules.author import Author, packed

from pageworker_sandbox.page_options import PageOptions, parse_options
from pageworker_supervisor.config.tenant_lookup import ProfilePages
from pageworker_supervisor.contract.context_key import NO_EGRESS, egress_digest
from pageworker_supervisor.intake import module_context
from pageworker_supervisor.intake.module_context import ModuleContext
from pageworker_supervisor.queue.producer import NewJob
from pageworker_supervisor.registry import Registry

NO_PROFILES = ProfilePages({})


async def egress(modules: ModuleContext, name: str, pin: str | None) -> str:
    return (await modules.placed(new_job((name, pin)))).egress


def new_job(
    module: tuple[str, str | None] = ("shop.product", None),
    profile_id: str | None = None,
    page: PageOptions = PageOptions(),
) -> NewJob:
    return NewJob(job_id="j", tenant_id="acme", body=b"", module=module, profile_id=profile_id, page=page)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "registry"


async def test_a_job_is_queued_with_the_set_of_its_release(place: Path, tmp_path: Path) -> None:
    author = Author()
    await author.publish(place, packed(version="1.0.0", more='egress = ["a.test"]\n'))
    await author.publish(place, packed(version="2.0.0", more='egress = ["B.test.", "a.test"]\n'))
    modules = ModuleContext(await Registry.open(place, author.trust, tmp_path / "state"), NO_PROFILES)
    assert await egress(modules, "shop.product", None) == egress_digest(["a.test", "b.test"])
    assert await egress(modules, "shop.product", "1.0.0") == egress_digest(["a.test"])
    assert await egress(modules, "shop.product", "3.0.0") == NO_EGRESS
    assert await egress(modules, "shop.unknown", None) == NO_EGRESS


async def test_a_registry_that_is_away_holds_up_the_first_job_only(place: Path, tmp_path: Path) -> None:
    author = Author()
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    shutil.rmtree(place)
    modules = ModuleContext(registry, NO_PROFILES)
    assert await egress(modules, "shop.product", None) == NO_EGRESS
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    assert await egress(modules, "shop.product", None) == NO_EGRESS, "it rests"
    modules._backoff_until = time.monotonic()
    assert await egress(modules, "shop.product", None) == egress_digest(["a.test"])


async def test_a_worker_without_free_descriptors_queues_the_job_all_the_same(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = Author()
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    modules = ModuleContext(registry, NO_PROFILES)

    async def no_descriptor(release: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(registry, "bundle", no_descriptor)
        assert await egress(modules, "shop.product", None) == NO_EGRESS
    modules._backoff_until = time.monotonic()
    assert await egress(modules, "shop.product", None) == egress_digest(["a.test"])


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
    monkeypatch.setattr(module_context, "FETCH_SECONDS", 0.05)
    modules = ModuleContext(registry, NO_PROFILES)
    for _ in range(3):
        assert await egress(modules, "shop.product", None) == NO_EGRESS
    assert asked == 1


async def test_a_job_is_queued_with_the_options_of_module_profile_and_job(place: Path, tmp_path: Path) -> None:
    author = Author()
    page = '[page]\nlocale = "de-DE"\ncolor_scheme = "dark"\njob_may_set = ["locale"]\n'
    await author.publish(place, packed(more=page))
    profiles = ProfilePages({"acme/lyon-*": {"locale": "fr-FR", "color_scheme": "light"}})
    modules = ModuleContext(await Registry.open(place, author.trust, tmp_path / "state"), profiles)
    asked = parse_options({"locale": "it-IT"})
    for job, options in (
        (new_job(), {"locale": "de-DE", "color_scheme": "dark"}),
        (new_job(profile_id="lyon-1"), {"locale": "fr-FR"}),
        (new_job(profile_id="bonn-1", page=asked), {"locale": "it-IT", "color_scheme": "dark"}),
        (new_job(profile_id="lyon-1", page=asked), {"locale": "it-IT"}),
    ):
        assert (await modules.placed(job)).options == parse_options(options).digest
    refused = new_job(page=parse_options({"has_touch": True}))
    assert (await modules.placed(refused)).options == "", "the worker that runs it rejects it"
