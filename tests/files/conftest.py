"""Stores of uploads: a folder, and a bucket of a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pw_servers import s3

from pageworker_supervisor.files.store import FileStore
from pageworker_supervisor.files.stored_file import StoredFile, new_file_id


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A server with one bucket."""
    with s3.s3_server() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileStore:
    """One of each kind."""
    if request.param == "folder":
        return FileStore.open(None, tmp_path)
    for name, value in s3.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT", request.getfixturevalue("s3_url"))
    return FileStore.open(f"s3://{s3.BUCKET}/{tmp_path.name}", tmp_path)


async def stored(store: FileStore, data: bytes, expires_at: float, tenant_id: str = "acme") -> StoredFile:
    """An upload that is in the store."""
    with store.spool() as spool:
        for start in range(0, len(data), 1_000_000):
            await spool.append(data[start : start + 1_000_000])
        file = StoredFile(
            file_id=new_file_id(expires_at),
            tenant_id=tenant_id,
            name="a.pdf",
            sha256=await spool.ended(),
            bytes=spool.bytes,
            content_type="application/pdf",
            expires_at=int(expires_at),
        )
        await store.put(file, spool)
    return file
