"""Snapshots in a real S3 server: conditional writes, containers in pieces, and a server that is away."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pw_profiles import Homes, SnapshotWorker, put
from pw_servers.s3 import BUCKET, ENVIRONMENT, s3_server

from pageworker_profiles.errors import SnapshotStoreAway, StaleFence
from pageworker_profiles.snapshots import objects
from pageworker_profiles.snapshots.objects import ObjectChanged, ObjectMissing
from pageworker_supervisor.profile_stores import bucket_objects
from pageworker_supervisor.profile_stores.bucket_objects import BucketObjects


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def bucket(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a prefix of its own."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT": server}.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{tmp_path.name}"


async def test_only_the_writer_that_saw_the_newest_version_writes(bucket: str) -> None:
    store = BucketObjects(bucket)
    assert await store.read("acme/p/head.json", 100) is None
    await store.write("acme/p/head.json", b"1", None)
    with pytest.raises(ObjectChanged):
        await store.write("acme/p/head.json", b"2", None)
    first = await store.read("acme/p/head.json", 100)
    assert first is not None
    await store.write("acme/p/head.json", b"3", first.version)
    with pytest.raises(ObjectChanged):
        await store.write("acme/p/head.json", b"4", first.version)
    assert (await store.read("acme/p/head.json", 100) or first).data == b"3"
    with pytest.raises(SnapshotStoreAway, match="larger than"):
        await store.read("acme/p/head.json", 0)


async def test_of_many_writers_at_once_each_change_counts(bucket: str) -> None:
    store = BucketObjects(bucket)
    await store.write("count", b"0", None)

    async def add() -> None:
        while True:
            found = await store.read("count", 100)
            assert found is not None
            try:
                await store.write("count", b"%d" % (int(found.data) + 1), found.version)
            except ObjectChanged:
                continue
            return

    await asyncio.gather(*(add() for _ in range(4)))
    found = await store.read("count", 100)
    assert found is not None
    assert found.data == b"4"


async def test_a_container_goes_and_comes_in_pieces(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_objects, "PIECE_BYTES", 1024 * 1024)
    store = BucketObjects(bucket)
    # More than one part of an upload, so that S3's multipart way is used.
    data = os.urandom(bucket_objects.PART_BYTES + 12_345)
    (tmp_path / "out").write_bytes(data)
    await store.upload("acme/p/one.snapshot", tmp_path / "out")
    whole = (len(data), hashlib.sha256(data).hexdigest())
    assert await store.download("acme/p/one.snapshot", tmp_path / "in", len(data)) == whole
    assert (tmp_path / "in").read_bytes() == data
    assert await store.download("acme/p/one.snapshot", None, len(data)) == whole
    assert (await store.download("acme/p/one.snapshot", None, 10)).bytes == 11, "more than was announced is seen"
    with pytest.raises(ObjectMissing):
        await store.download("acme/p/two.snapshot", None, 10)
    assert objects.PIECE_BYTES > 1024 * 1024, "the real pieces are larger"


async def test_objects_are_listed_and_deleted(bucket: str) -> None:
    store = BucketObjects(bucket)
    for name in ("acme/p/a", "acme/p/b", "acme/q/a", "other/p/a"):
        await store.write(name, b"x", None)
    infos = await store.listing("acme/p")
    assert sorted((info.name, info.bytes) for info in infos) == [("acme/p/a", 1), ("acme/p/b", 1)]
    assert all(info.changed_at > 1e9 for info in infos)
    assert sorted(await store.folders("")) == ["acme", "other"]
    assert sorted(await store.folders("acme")) == ["p", "q"]
    await store.delete(["acme/p/a", "acme/p/never"])
    assert [info.name for info in await store.listing("acme/p")] == ["acme/p/b"]


async def test_a_server_that_is_away_is_told_without_a_password(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_objects, "RETRY_SECONDS", 0.1)
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    store = BucketObjects(bucket)
    with pytest.raises(SnapshotStoreAway) as caught:
        await store.read("head.json", 100)
    assert caught.value.retryable
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


async def test_a_profile_moves_between_workers_and_a_suspended_one_cannot_publish(bucket: str, tmp_path: Path) -> None:
    homes = Homes()
    a, b = (SnapshotWorker(name, tmp_path / name, BucketObjects(bucket), homes) for name in "ab")
    assert await a.visit(1, "logged in") == ""
    lease = await a.open(2)
    put(lease.path, "of the suspended one")
    assert await b.visit(3, "twice") == "logged in"
    await a.close(lease, 2)
    assert a.failed == ["publish StaleFence"]
    with pytest.raises(StaleFence):
        await a.open(2)
    assert await a.visit(4) == "twice"
