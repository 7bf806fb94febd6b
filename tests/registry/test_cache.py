"""What a worker keeps of its registry on disk."""

from pathlib import Path

import msgspec
import pytest
from pw_modules.author import Author, packed

from pageworker_sandbox.signing import LIMITS, UntrustedBundle, UntrustedIndex
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.cache import Cache

BUNDLE = UntrustedBundle(b"zip", b"signature")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path, "https://registry.example")
    cache.make()
    return cache


def only(tmp_path: Path) -> Path:
    """The folder of the one registry."""
    (folder,) = tmp_path.iterdir()
    return folder


def test_an_empty_cache_has_nothing(cache: Cache) -> None:
    assert (cache.highest_serial(), cache.load_index(), cache.load_bundle("00")) == (0, None, None)


def test_index_and_bundle_are_read_back(cache: Cache) -> None:
    cache.save_index(UntrustedIndex(b"{}", b"s"), 7)
    cache.save_bundle("aa", BUNDLE)
    assert cache.highest_serial() == 7
    assert cache.load_index() == UntrustedIndex(b"{}", b"s")
    assert cache.load_bundle("aa") == BUNDLE


def test_the_serial_is_on_disk_before_the_index(cache: Cache, tmp_path: Path) -> None:
    (only(tmp_path) / "index.json").mkdir()
    with pytest.raises(OSError, match=r"directory|Is a"):
        cache.save_index(UntrustedIndex(b"{}", b"s"), 7)
    assert cache.highest_serial() == 7


def test_registries_do_not_share_a_folder(cache: Cache, tmp_path: Path) -> None:
    other = Cache(tmp_path, "https://other.example")
    other.make()
    cache.save_index(UntrustedIndex(b"{}", b"s"), 7)
    assert other.highest_serial() == 0


def test_unlisted_bundles_and_half_written_files_are_deleted(cache: Cache, tmp_path: Path) -> None:
    cache.save_bundle("aa", BUNDLE)
    cache.save_bundle("bb", BUNDLE)
    (only(tmp_path) / "bundles" / "bb.zip.0123.part").write_bytes(b"")
    cache.keep_only({"bb"})
    assert sorted(path.name for path in (only(tmp_path) / "bundles").iterdir()) == ["bb.zip", "bb.zip.minisig"]


def test_damaged_files_are_not_returned(cache: Cache, tmp_path: Path) -> None:
    cache.save_bundle("aa", BUNDLE)
    (only(tmp_path) / "bundles" / "aa.zip.minisig").unlink()
    assert cache.load_bundle("aa") is None
    (only(tmp_path) / "index.json").write_bytes(b" " * (LIMITS.index_bytes + 1))
    (only(tmp_path) / "index.json.minisig").write_bytes(b"s")
    assert cache.load_index() is None
    (only(tmp_path) / "serial").write_bytes(b"x")
    with pytest.raises(msgspec.DecodeError):
        cache.highest_serial()


def test_above_the_bound_the_least_used_bundles_are_deleted(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "https://registry.example", most_bytes=25)
    cache.make()
    for name in ("aa", "bb"):
        cache.save_bundle(name, UntrustedBundle(b"0123456789", b"s", (b"t",)))
    assert cache.load_bundle("aa") is not None
    cache.save_bundle("cc", UntrustedBundle(b"0123456789", b"s"))
    assert [name for name in ("aa", "bb", "cc") if cache.load_bundle(name)] == ["aa", "cc"]
    assert not list(only(tmp_path).glob("bundles/bb*")), "its signatures are deleted too"
    cache.save_bundle("dd", UntrustedBundle(b"x" * 100, b"s"))
    assert [path.name for path in only(tmp_path).glob("bundles/*.zip")] == ["dd.zip"], "the newest one stays"


def test_several_signatures_are_read_back(cache: Cache) -> None:
    bundle = UntrustedBundle(b"zip", b"one", (b"two", b"three"))
    cache.save_bundle("aa", bundle)
    assert cache.load_bundle("aa") == bundle


def test_a_damaged_time_is_no_time(cache: Cache, tmp_path: Path) -> None:
    assert cache.latest_clock() is None
    (only(tmp_path) / "clock").write_text("yesterday")
    assert cache.latest_clock() is None


async def test_a_worker_keeps_no_more_than_cache_bytes(tmp_path: Path, author: Author) -> None:
    one, two = packed(version="1.0.0"), packed(version="2.0.0")
    for bundle in (one, two):
        await author.publish(tmp_path / "registry", bundle)
    registry = await Registry.open(
        tmp_path / "registry", author.trust, tmp_path / "state", cache_bytes=len(one.data) + len(two.data) // 2
    )
    for version in ("1.0.0", "2.0.0"):
        await registry.bundle(registry.resolve("shop.product", version))
    assert [path.stem for path in tmp_path.glob("state/*/bundles/*.zip")] == [two.sha256]
