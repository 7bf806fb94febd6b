"""What a worker keeps of its registry on disk."""

from pathlib import Path

import msgspec
import pytest

from pageworker_sandbox.signing import LIMITS, UntrustedBundle, UntrustedIndex
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
