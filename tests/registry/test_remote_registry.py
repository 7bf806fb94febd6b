"""A registry behind HTTP: it is away, slow or asked by many callers at once."""

import asyncio
import time
from pathlib import Path

import pytest
from pw_modules.author import Author, packed
from pw_modules.serving import ObjectServer

from pageworker_sandbox.signing import PackedBundle, SigningLimits
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import RegistryAway


async def put_up(author: Author, server: ObjectServer, folder: Path, bundle: PackedBundle, under: str = "") -> None:
    """Publish to a folder that a plain web server shows. A web server has no conditional writes for publishers."""
    await author.publish(folder, bundle)
    server.objects |= {f"{under}/{file.name}": file.read_bytes() for file in folder.iterdir() if file.is_file()}


async def remote_registry(author: Author, server: ObjectServer, state: Path) -> Registry:
    """One with a bundle, as a worker opens it."""
    await put_up(author, server, state.with_name("published"), packed())
    return await Registry.open(server.url, author.trust, state)


async def test_many_jobs_with_unknown_modules_share_one_look(state: Path, author: Author, server: ObjectServer) -> None:
    registry = await remote_registry(author, server, state)
    before = len(server.asked)
    pushed = time.monotonic()
    await asyncio.gather(*(registry.look_again(pushed) for _ in range(100)))
    assert server.asked[before:] == ["304 GET /index.json"]


async def test_a_registry_that_is_away(state: Path, author: Author, server: ObjectServer) -> None:
    source = f"{server.url}/modules"
    await put_up(author, server, state.with_name("published"), packed(version="1.0.0"), "/modules")
    await put_up(author, server, state.with_name("published"), packed(version="1.1.0"), "/modules")
    registry = await Registry.open(source, author.trust, state)
    known, unknown = registry.resolve("shop.product"), registry.resolve("shop.product", "1.0.0")
    await registry.bundle(known)
    server.away = True
    with pytest.raises(RegistryAway):
        await registry.refresh()
    restarted = await Registry.open(source, author.trust, state)
    for each in (registry, restarted):
        assert each.status.trouble is not None
        assert (await each.bundle(each.resolve("shop.product"))).version == "1.1.0"
        with pytest.raises(RegistryAway) as away:
            await each.bundle(unknown)
        assert away.value.retryable
        assert server.url not in str(away.value)
        assert server.url in away.value.mend
    server.away = False
    assert not await registry.refresh()
    assert registry.status.trouble is None
    assert (await registry.bundle(unknown)).version == "1.0.0"


async def test_a_registry_that_was_never_there(state: Path, author: Author, server: ObjectServer) -> None:
    server.away = True
    registry = await Registry.open(server.url, author.trust, state)
    with pytest.raises(RegistryAway):
        registry.resolve("shop.product")
    server.away = False
    await put_up(author, server, state.with_name("published"), packed())
    await registry.refresh()
    assert registry.resolve("shop.product")


async def test_an_unchanged_index_is_not_sent_again(state: Path, author: Author, server: ObjectServer) -> None:
    registry = await remote_registry(author, server, state)
    before = server.count("/index.json")
    for _ in range(5):
        assert not await registry.refresh()
    assert server.count("/index.json") == before
    assert "304 GET /index.json" in server.asked


async def test_concurrent_callers_share_one_fetch_of_a_bundle(
    state: Path, author: Author, server: ObjectServer
) -> None:
    registry = await remote_registry(author, server, state)
    release = registry.resolve("shop.product")
    found = await asyncio.gather(*(registry.bundle(release) for _ in range(50)))
    assert len({id(bundle) for bundle in found}) == 1
    assert server.count(".zip") == 1


async def test_a_waiting_caller_fetches_if_the_first_one_is_cancelled(
    state: Path, author: Author, server: ObjectServer
) -> None:
    registry = await remote_registry(author, server, state)
    release = registry.resolve("shop.product")
    server.gate.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(registry.bundle(release)) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        tasks[3].cancel()
        server.gate.set()
    assert [task.cancelled() for task in tasks] == [True, False, False, True, False]
    assert len({id(task.result()) for task in tasks if not task.cancelled()}) == 1


async def test_a_failed_fetch_is_everybodys_and_the_next_tries_again(
    state: Path, author: Author, server: ObjectServer
) -> None:
    registry = await remote_registry(author, server, state)
    release = registry.resolve("shop.product")
    kept = server.objects.pop("/shop.product-1.4.2.zip")
    found = await asyncio.gather(*(registry.bundle(release) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(outcome, RegistryAway) for outcome in found)
    assert sum(line.endswith(".zip") and line.startswith("404") for line in server.asked) == 1
    server.objects["/shop.product-1.4.2.zip"] = kept
    assert (await registry.bundle(release)).version == "1.4.2"


async def test_a_server_that_never_stops_sending_is_cut_off(state: Path, author: Author, server: ObjectServer) -> None:
    server.endless = True
    registry = await Registry.open(server.url, author.trust, state, limits=SigningLimits(index_bytes=1000))
    with pytest.raises(RegistryAway, match="larger than 1000 bytes"):
        registry.resolve("x")
