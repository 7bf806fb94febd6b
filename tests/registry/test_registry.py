"""A worker's registry over real folders and a real web server."""

import asyncio
import contextlib
import os
import resource
import shutil
import time
from pathlib import Path

import pytest
from pw_modules.author import Author, packed
from pw_modules.clock import Clock

from pageworker_sandbox.signing import BadSignature, IndexExpired, IndexRolledBack, TrustStore, UntrustedKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.registry import Registry, Release
from pageworker_supervisor.registry.errors import ModuleUnknown, TenantNotAllowed, VersionSetAside
from pageworker_supervisor.registry.index_update import yank
from pageworker_supervisor.registry.resolve import Move
from pageworker_supervisor.telemetry import log


async def test_what_was_published_is_resolved_and_verified(place: Path, state: Path, author: Author) -> None:
    bundle = packed(more='tenants = ["acme-*"]\n')
    await author.publish(place, bundle)
    registry = await Registry.open(place, author.trust, state)
    release = registry.resolve("shop.product")
    assert release == Release("shop.product", "1.4.2", bundle.sha256, len(bundle.data))
    verified = await registry.bundle(release)
    assert verified.data == bundle.data
    registry.check_tenant(verified, "acme-1")
    with pytest.raises(TenantNotAllowed, match="does not allow tenant other"):
        registry.check_tenant(verified, "other")
    assert registry.status.trouble is None


async def test_a_new_version_comes_with_the_next_refresh(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.0.0"))
    registry = await Registry.open(place, author.trust, state)
    registry.changed.clear()
    assert not await registry.refresh()
    assert not registry.changed.is_set()
    await author.publish(place, packed(version="1.1.0"))
    changes = await registry.refresh()
    assert changes.added == ("shop.product@1.1.0",)
    assert changes.moved == (Move("shop.product", "stable", "1.0.0", "1.1.0"),)
    assert registry.changed.is_set()
    assert registry.resolve("shop.product").version == "1.1.0"
    assert registry.resolve("shop.product", "1.0.0").version == "1.0.0"


async def test_channels(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.0.0"))
    await author.publish(place, packed(version="2.0.0"), "canary")
    await author.publish(place, packed("shop.other", "1.0.0"))
    stable = await Registry.open(place, author.trust, state / "a")
    canary = await Registry.open(place, author.trust, state / "b", "canary")
    assert stable.resolve("shop.product").version == "1.0.0"
    assert canary.resolve("shop.product").version == "2.0.0"
    assert canary.resolve("shop.other").version == "1.0.0", "a module without this channel comes from stable"


async def test_a_module_that_was_just_published_is_found_by_looking_again(
    place: Path, state: Path, author: Author
) -> None:
    await author.publish(place, packed(version="1.0.0"))
    registry = await Registry.open(place, author.trust, state)
    await author.publish(place, packed("shop.other", "1.0.0"))
    with pytest.raises(ModuleUnknown):
        registry.resolve("shop.other")
    await registry.look_again(0.0)
    with pytest.raises(ModuleUnknown):
        registry.resolve("shop.other")
    await registry.look_again(time.monotonic())
    assert registry.resolve("shop.other").version == "1.0.0"


async def test_near_misses(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed())
    registry = await Registry.open(place, author.trust, state)
    with pytest.raises(ModuleUnknown, match=r"did you mean shop\.product\?"):
        registry.resolve("shop.produkt")
    with pytest.raises(ModuleUnknown, match=r"did you mean 1\.4\.2\?"):
        registry.resolve("shop.product", "1.4.3")


async def test_an_empty_registry_is_reported(place: Path, state: Path, author: Author) -> None:
    registry = await Registry.open(place, author.trust, state)
    assert registry.status.trouble is None
    with pytest.raises(ModuleUnknown, match="empty"):
        registry.resolve("shop.product")
    await author.publish(place, packed())
    await registry.refresh()
    assert registry.resolve("shop.product")


async def test_no_key_is_trusted_by_default(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed())
    registry = await Registry.open(place, TrustStore(), state)
    with pytest.raises(UntrustedKey) as refused:
        registry.resolve("shop.product")
    assert "modules.trusted_keys" in refused.value.mend
    assert registry.status.trouble is not None
    assert "modules.trusted_keys" in registry.status.trouble


async def test_an_index_by_another_author_changes_nothing(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed())
    registry = await Registry.open(place, author.trust, state)
    shutil.rmtree(place)
    await Author().publish(place, packed(version="6.6.6"))
    with pytest.raises(UntrustedKey):
        await registry.refresh()
    assert registry.resolve("shop.product").version == "1.4.2"
    assert registry.status.trouble is not None


async def test_an_old_index_is_refused_even_after_a_restart(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.0.0"))
    old = place.with_name("old")
    shutil.copytree(place, old)
    await author.publish(place, packed(version="1.1.0"))
    registry = await Registry.open(place, author.trust, state)
    shutil.rmtree(place)
    old.rename(place)
    with pytest.raises(IndexRolledBack):
        await registry.refresh()
    assert registry.resolve("shop.product").version == "1.1.0"
    again = await Registry.open(place, author.trust, state)
    assert again.status.trouble is not None
    assert again.resolve("shop.product").version == "1.1.0"
    for kept in state.glob("*/index.json*"):
        kept.unlink()
    with pytest.raises(IndexRolledBack):
        (await Registry.open(place, author.trust, state)).resolve("shop.product")


async def test_a_slow_publisher_that_puts_an_old_pair_back_is_seen_through(
    place: Path, state: Path, author: Author
) -> None:
    await author.publish(place, packed(version="1.0.0"))
    old = {name: (place / name).read_bytes() for name in ("index.json", "index.json.minisig")}
    await author.publish(place, packed(version="1.1.0"))
    registry = await Registry.open(place, author.trust, state)
    for name, data in old.items():
        (place / name).write_bytes(data)
    assert not await registry.refresh()
    assert registry.resolve("shop.product").version == "1.1.0"
    assert registry.status.trouble is not None
    await author.publish(place, packed(version="1.2.0"))
    await registry.refresh()
    assert registry.resolve("shop.product").version == "1.2.0"
    assert registry.status.trouble is None


async def test_from_its_expiry_on_nothing_is_resolved(place: Path, state: Path, author: Author, clock: Clock) -> None:
    await author.publish(place, packed())
    registry = await Registry.open(place, author.trust, state, now=clock)
    clock.pass_days(89)
    assert registry.resolve("shop.product")
    clock.pass_days(2)
    with pytest.raises(IndexExpired):
        registry.resolve("shop.product")
    assert registry.status.trouble is not None
    with pytest.raises(IndexExpired):
        await registry.refresh()
    with pytest.raises(IndexExpired):
        (await Registry.open(place, author.trust, state / "new", now=clock)).resolve("shop.product")


async def test_a_version_that_was_yanked_is_not_run(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.0.0"))
    await author.publish(place, packed(version="1.1.0"))
    registry = await Registry.open(place, author.trust, state)
    await registry.bundle(registry.resolve("shop.product", "1.0.0"))
    assert len(list(state.glob("*/bundles/*.zip"))) == 1
    await author.publisher(place).change(yank("shop.product", "1.0.0"))
    changes = await registry.refresh()
    assert changes.removed == ("shop.product@1.0.0",)
    assert list(state.glob("*/bundles/*.zip")) == []
    with pytest.raises(ModuleUnknown, match="was yanked"):
        registry.resolve("shop.product", "1.0.0")


async def test_a_bundle_that_is_not_the_listed_one_is_refused(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed())
    other = author.signed(packed(code=b"async def handler(a, b, c, d): ...\n"))
    (place / "shop.product-1.4.2.zip").write_bytes(other.data)
    (place / "shop.product-1.4.2.zip.minisig").write_bytes(other.signature)
    registry = await Registry.open(place, author.trust, state)
    with pytest.raises(BadSignature, match="not the bundle that the index lists"):
        await registry.bundle(registry.resolve("shop.product"))


async def test_a_bundle_damaged_on_disk_is_fetched_again(place: Path, state: Path, author: Author) -> None:
    bundle = packed()
    await author.publish(place, bundle)
    registry = await Registry.open(place, author.trust, state)
    await registry.bundle(registry.resolve("shop.product"))
    (kept,) = state.glob("*/bundles/*.zip")
    kept.write_bytes(bundle.data[:-1] + b"\1")
    again = await Registry.open(place, author.trust, state)
    assert (await again.bundle(again.resolve("shop.product"))).data == bundle.data
    assert kept.read_bytes() == bundle.data


async def test_run_notices_by_itself(place: Path, state: Path, author: Author) -> None:
    registry = await Registry.open(place, author.trust, state, refresh_seconds=0.02)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(registry.run())
        await author.publish(place, packed())
        await registry.changed.wait()
        running.cancel()
    assert registry.resolve("shop.product").version == "1.4.2"


async def test_a_reader_between_the_two_writes_of_the_index_sees_a_whole_one(
    place: Path, state: Path, author: Author
) -> None:
    await author.publish(place, packed(version="1.0.0"))
    old = (place / "index.json.minisig").read_bytes()
    await author.publish(place, packed(version="1.1.0"))
    (place / "index.json.minisig").write_bytes(old)
    registry = await Registry.open(place, author.trust, state)
    assert registry.resolve("shop.product").version == "1.1.0"
    assert registry.status.trouble is not None  # it is said, should it stay so
    (place / "index.signed").unlink()
    with pytest.raises(BadSignature):
        await registry.refresh()


async def test_readers_never_stumble_over_a_publisher(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.0.0"))
    registry = await Registry.open(place, author.trust, state)

    async def publish() -> None:
        for number in range(1, 31):
            await author.publish(place, packed(version=f"1.0.{number}"))

    async with asyncio.TaskGroup() as group:
        publishing = group.create_task(publish())
        while not publishing.done():
            await registry.refresh()
    await registry.refresh()
    assert registry.resolve("shop.product").version == "1.0.30"
    assert registry.status.trouble is None


async def test_two_registries_have_serials_of_their_own(tmp_path: Path, state: Path, author: Author) -> None:
    await author.publish(tmp_path / "one", packed(version="1.0.0"))
    await author.publish(tmp_path / "two", packed(version="2.0.0"))
    for _ in range(3):
        await author.publisher(tmp_path / "two").change()
    await Registry.open(tmp_path / "two", author.trust, state)
    registry = await Registry.open(tmp_path / "one", author.trust, state)
    assert registry.resolve("shop.product").version == "1.0.0"


async def test_a_data_folder_that_can_not_be_used_stops_it(tmp_path: Path, author: Author) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(OSError, match=r"exists|directory"):
        await Registry.open(tmp_path / "registry", author.trust, tmp_path / "state")


async def test_the_cache_is_read_once_descriptors_are_free_again(
    place: Path, state: Path, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that starts while the process has no free file descriptors waits for one."""
    await author.publish(place, packed(version="1.0.0"))
    await Registry.open(place, author.trust, state)
    waits = asyncio.Event()
    monkeypatch.setattr(log, "warning", lambda *_, **__: waits.set())
    await asyncio.to_thread(lambda: None)  # its thread is there already
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
            with contextlib.suppress(OSError):
                while True:
                    held.append(os.open(os.devnull, os.O_RDONLY))
            opening = tasks.create_task(Registry.open(place, author.trust, state))
            async with asyncio.timeout(10):
                await waits.wait()
        finally:
            for descriptor in held:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert opening.result().status.serial > 0


async def test_a_bug_in_a_refresh_leaves_the_accepted_index_in_effect(
    place: Path, state: Path, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    await author.publish(place, packed())
    registry = await Registry.open(place, author.trust, state, refresh_seconds=0.01)
    registry.changed.clear()
    tried: asyncio.Queue[None] = asyncio.Queue()

    async def fails(*_: object) -> None:
        tried.put_nowait(None)
        raise KeyError("a bug")

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(registry.run())
        with monkeypatch.context() as patch:
            patch.setattr("pageworker_supervisor.registry.registry.fetch_index", fails)
            await tried.get()
            await tried.get()  # so the first one is noted
            assert "could not be read" in str(registry.status.trouble)
            assert registry.resolve("shop.product").version == "1.4.2"
        await author.publish(place, packed(version="1.5.0"))
        await registry.changed.wait()
        running.cancel()
    assert registry.resolve("shop.product").version == "1.5.0"


async def test_an_odd_file_in_the_cache_does_not_keep_a_new_index_out(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.0.0"))
    registry = await Registry.open(place, author.trust, state)
    (next(state.iterdir()) / "bundles" / "odd").mkdir()
    await author.publish(place, packed(version="1.1.0"))
    await registry.refresh()
    assert registry.resolve("shop.product").version == "1.1.0"


JOB = JobRef("acme", "1")


async def test_a_version_that_does_not_load_is_set_aside_where_a_channel_chose_it(
    place: Path, state: Path, author: Author
) -> None:
    await author.publish(place, packed(version="1.0.0"))
    registry = await Registry.open(place, author.trust, state)
    await author.publish(place, packed(version="1.1.0"))
    await registry.refresh()
    broken = registry.resolve("shop.product", None, JOB)
    with pytest.raises(VersionSetAside, match=r"shop\.product 1\.1\.0 does not load, 1\.0\.0 goes on: no `x`"):
        await registry.load_failed(broken, None, JOB, "no `x`")
    assert registry.resolve("shop.product", None, JOB).version == "1.0.0"
    assert registry.resolve("shop.product", "1.1.0", JOB).version == "1.1.0", "a job may name it"
    assert registry.resolve("shop.product", None, JobRef("other", "1")).version == "1.1.0", (
        "another tenant's runner may be hostile"
    )
    await registry.load_failed(broken, "1.1.0", JOB, "no `x`")
    await registry.load_failed(registry.resolve("shop.product", None, JOB), None, JOB, "nor this one")
    await author.publish(place, packed(version="1.2.0"))
    await registry.refresh()
    assert registry.resolve("shop.product", None, JOB).version == "1.2.0"


async def test_a_version_before_that_was_yanked_does_not_go_on(place: Path, state: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.0.0"))
    registry = await Registry.open(place, author.trust, state)
    await author.publish(place, packed(version="1.1.0"))
    await author.publisher(place).change(yank("shop.product", "1.0.0"))
    await registry.refresh()
    await registry.load_failed(registry.resolve("shop.product", None, JOB), None, JOB, "no `x`")
    assert registry.resolve("shop.product", None, JOB).version == "1.1.0"
