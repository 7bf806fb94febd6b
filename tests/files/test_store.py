"""Uploads in a folder and in a bucket: whole or not there, each its tenant's, gone in time."""

import os
import time
from pathlib import Path

import pytest
from files.conftest import stored

from pageworker_supervisor.files.errors import FileMissing, FileStoreAway
from pageworker_supervisor.files.store import LEAST_BYTES, FileStore
from pageworker_supervisor.files.stored_file import HEADER_BYTES, new_file_id
from pageworker_supervisor.files.sweep import sweep

DATA = os.urandom(12_000_000)


async def read(store: FileStore, tenant_id: str, file_id: str) -> bytes:
    file = await store.describe(tenant_id, file_id)
    return b"".join([part async for part in store.read(file)])


async def test_an_upload_comes_back_to_its_tenant_alone(store: FileStore) -> None:
    now = time.time()
    large, small = await stored(store, DATA, now + 60), await stored(store, b"x", now + 60)
    assert (await read(store, "acme", large.file_id) == DATA, await read(store, "acme", small.file_id)) == (True, b"x")
    for tenant_id, file_id in (
        ("beta", small.file_id),
        ("acme", new_file_id(now + 60)),
        ("acme", f"../acme/{small.file_id}"),
        ("acme", ""),
    ):
        with pytest.raises(FileMissing):
            await store.describe(tenant_id, file_id)
    assert await store.used_bytes("acme") == len(DATA) + HEADER_BYTES + LEAST_BYTES
    assert await store.used_bytes("acm") == 0
    await store.delete("acme", small.file_id)
    with pytest.raises(FileMissing):
        await store.delete("acme", small.file_id)


async def test_what_has_expired_is_missing_at_once_and_deleted_by_a_sweep(store: FileStore) -> None:
    now = time.time()
    over, kept = await stored(store, b"x", now - 1), await stored(store, b"y", now + 60, "beta")
    with pytest.raises(FileMissing):
        await store.describe("acme", over.file_id)
    assert await sweep(store, now) == 1
    assert await sweep(store, now) == 0
    assert (await store.used_bytes("acme"), await read(store, "beta", kept.file_id)) == (0, b"y")
    await store.remove(f"acme/{over.file_id}")


async def test_only_the_owner_reads_the_folder_and_a_cut_off_upload_is_swept(tmp_path: Path) -> None:
    store = FileStore.open(None, tmp_path)
    old = os.umask(0)
    try:
        file = await stored(store, b"x", time.time() + 60)
    finally:
        os.umask(old)
    folder = tmp_path / "files" / "acme"
    assert [path.stat().st_mode & 0o777 for path in (folder.parent, folder, folder / file.file_id)] == [
        0o750,
        0o750,
        0o640,
    ]
    left = folder / f"{new_file_id(time.time() - 1)}#1"
    left.write_bytes(b"half")
    (folder / "notes.txt").write_bytes(b"not ours")
    assert await sweep(store, time.time()) == 1
    assert sorted(path.name for path in folder.iterdir()) == sorted([file.file_id, "notes.txt"])


async def test_something_else_in_its_place_is_no_upload(tmp_path: Path) -> None:
    store = FileStore.open(None, tmp_path)
    file = await stored(store, b"abc", time.time() + 60)
    path = tmp_path / "files" / "acme" / file.file_id
    path.write_bytes(path.read_bytes() + b"d")
    with pytest.raises(FileStoreAway, match="something else"):
        await read(store, "acme", file.file_id)
    path.write_bytes(b"")
    with pytest.raises(FileStoreAway) as away:
        await store.describe("acme", file.file_id)
    assert str(tmp_path) not in str(away.value)
