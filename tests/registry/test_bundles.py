"""Where a bundle comes from, and that it is verified each time it is loaded."""

import asyncio
import errno
from pathlib import Path

import pytest
from pw_modules.author import Author, packed
from pw_modules.serving import ObjectServer

from pageworker_sandbox.signing import LIMITS, BadSignature, BundleMalformed, PackedBundle, Untrusted, UntrustedBundle
from pageworker_supervisor.registry.bundles import Bundles
from pageworker_supervisor.registry.cache import Cache
from pageworker_supervisor.registry.errors import RegistryAway
from pageworker_supervisor.registry.resolve import Release
from pageworker_supervisor.registry.store import Store
from pageworker_supervisor.telemetry import log


def release(bundle: PackedBundle) -> Release:
    return Release(bundle.name, bundle.version, bundle.sha256, len(bundle.data))


class Shelf:
    """A registry on a web server, and the bundles of a worker that reads it."""

    def __init__(self, server: ObjectServer, state: Path, author: Author) -> None:
        self.server, self.state, self.author = server, state, author
        self.untrusted: list[str] = []

    def put(self, bundle: PackedBundle) -> Release:
        untrusted = self.author.signed(bundle)
        file = f"/{release(bundle).file}"
        self.server.objects |= {file: untrusted.data, f"{file}.minisig": untrusted.signature}
        return release(bundle)

    def worker(self, memory_bytes: int = 10**9) -> Bundles:
        cache = Cache(self.state, self.server.url)
        cache.make()
        store, trust = Store(self.server.url), self.author.trust
        return Bundles(store, trust, cache, LIMITS, memory_bytes, on_untrusted=self._note)

    def _note(self, refused: Untrusted) -> None:
        self.untrusted.append(refused.reason)


@pytest.fixture
def shelf(server: ObjectServer, state: Path, author: Author) -> Shelf:
    return Shelf(server, state, author)


async def test_memory_then_disk_then_the_registry(shelf: Shelf) -> None:
    wanted = shelf.put(packed())
    first = shelf.worker()
    assert await first.get(wanted) is await first.get(wanted)
    assert (await shelf.worker().get(wanted)).version == "1.4.2"
    assert shelf.server.count(".zip") == 1


async def test_concurrent_callers_share_one_fetch(shelf: Shelf) -> None:
    wanted, worker = shelf.put(packed()), shelf.worker()
    found = await asyncio.gather(*(worker.get(wanted) for _ in range(5)))
    assert len({id(each) for each in found}) == 1
    assert shelf.server.count(".zip") == 1


async def test_they_share_its_failure_too_and_the_next_call_tries_again(shelf: Shelf) -> None:
    wanted, worker = shelf.put(packed()), shelf.worker()
    objects, shelf.server.objects = shelf.server.objects, {}
    failures = await asyncio.gather(*(worker.get(wanted) for _ in range(3)), return_exceptions=True)
    assert [type(failure).__bases__ for failure in failures] == [(RegistryAway,)] * 3
    shelf.server.objects = objects
    assert (await worker.get(wanted)).name == "shop.product"


async def test_a_damaged_copy_on_disk_is_fetched_again(shelf: Shelf) -> None:
    wanted = shelf.put(packed())
    await shelf.worker().get(wanted)
    Cache(shelf.state, shelf.server.url).save_bundle(wanted.sha256, UntrustedBundle(b"x", b"y"))
    assert (await shelf.worker().get(wanted)).sha256 == wanted.sha256
    assert shelf.server.count(".zip") == 2
    assert shelf.untrusted == ["bad_signature"]


async def test_another_bundle_than_the_listed_one_is_refused(shelf: Shelf) -> None:
    wanted = shelf.put(packed())
    shelf.put(packed(code=b"async def handler(a, b, c, d): ...\n"))
    with pytest.raises(BadSignature, match="is not the bundle that the index lists"):
        await shelf.worker().get(wanted)
    assert shelf.untrusted == ["bad_signature"]


async def test_a_bundle_that_raises_anything_else_is_malformed(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def verify(*arguments: object, **limits: object) -> None:
        raise OverflowError("a bug")

    monkeypatch.setattr("pageworker_supervisor.registry.bundles.verify", verify)
    lines: list[str] = []
    handler = log.add(lines.append, format="{level} {message}")
    try:
        with pytest.raises(BundleMalformed, match="cannot be read"):
            await shelf.worker().get(shelf.put(packed()))
    finally:
        log.remove(handler)
    (line,) = [line for line in lines if line.startswith("ERROR bundle could not be read")]
    assert "OverflowError: a bug" in line


async def test_memory_keeps_the_most_recently_used(shelf: Shelf) -> None:
    one, two = shelf.put(packed(version="1.0.0")), shelf.put(packed(version="2.0.0"))
    worker = shelf.worker(memory_bytes=1)
    kept = await worker.get(one)
    await worker.get(two)
    assert await worker.get(one) is not kept
    again = await worker.get(one)
    worker.keep_only(())
    assert await worker.get(one) is not again


async def test_an_odd_file_in_the_cache_is_passed_over(shelf: Shelf) -> None:
    """A folder in the place of a bundle can be neither read nor replaced."""
    wanted, worker = shelf.put(packed()), shelf.worker()
    bundles = next(shelf.state.iterdir()) / "bundles"
    (bundles / f"{wanted.sha256}.zip").mkdir()
    assert (await worker.get(wanted)).sha256 == wanted.sha256


async def test_a_process_without_descriptors_is_no_reason_to_fetch(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Cache, "load_bundle", load)
    with pytest.raises(OSError, match="Too many open files"):
        await shelf.worker().get(shelf.put(packed()))
    assert shelf.server.count(".zip") == 0


@pytest.mark.parametrize(("part", "method"), [(Cache, "load_bundle"), (Store, "_get"), (Cache, "save_bundle")])
async def test_a_bug_of_cache_or_store_lets_the_job_wait(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, part: type, method: str
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("a bug")

    wanted, worker = shelf.put(packed()), shelf.worker()
    with monkeypatch.context() as patch:
        patch.setattr(part, method, fails)
        failures = await asyncio.gather(*(worker.get(wanted) for _ in range(3)), return_exceptions=True)
    assert [(type(failure), getattr(failure, "retryable", None)) for failure in failures] == [(RegistryAway, True)] * 3
    assert (await worker.get(wanted)).sha256 == wanted.sha256


BIG = packed(code=b"#" * 3_000_000 + b"\nasync def handler(a, b, c, d): ...\n")


async def test_a_download_goes_on_where_it_broke_off(shelf: Shelf) -> None:
    wanted, worker = shelf.put(BIG), shelf.worker()
    shelf.server.breaks_after = 1_100_000
    assert (await worker.get(wanted)).sha256 == wanted.sha256
    assert shelf.server.sent_bytes < 1.5 * wanted.bytes


async def test_it_goes_on_after_a_restart(shelf: Shelf) -> None:
    wanted = shelf.put(BIG)
    shelf.server.breaks_after = 1_100_000
    shelf.server.ranges = False
    with pytest.raises(RegistryAway):
        await shelf.worker().get(wanted)
    before, shelf.server.sent_bytes = shelf.server.sent_bytes, 0
    assert before > 0
    shelf.server.breaks_after, shelf.server.ranges = None, True
    assert (await shelf.worker().get(wanted)).sha256 == wanted.sha256
    assert shelf.server.sent_bytes < wanted.bytes
    assert not list(shelf.state.glob("*/bundles/*.begun"))


async def test_parts_of_two_files_are_not_mixed(shelf: Shelf) -> None:
    wanted, worker = shelf.put(BIG), shelf.worker()
    Cache(shelf.state, shelf.server.url).save_begun(wanted.sha256, b"x" * 1000)
    assert (await worker.get(wanted)).sha256 == wanted.sha256
    assert shelf.untrusted == [], "half a file is no attack"


async def test_a_server_without_ranges_sends_the_whole_file(shelf: Shelf) -> None:
    wanted, worker = shelf.put(BIG), shelf.worker()
    shelf.server.ranges = False
    Cache(shelf.state, shelf.server.url).save_begun(wanted.sha256, BIG.data[:1000])
    assert (await worker.get(wanted)).sha256 == wanted.sha256
