"""Uploads over HTTP: streamed, hashed, each tenant's own, and nothing left of a broken one."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api.conftest import ServedApi, serving, settings_for
from msgspec import structs
from pw_servers import RedisServer

from pageworker_supervisor.api import file_upload
from pageworker_supervisor.config.file_settings import FileSettings
from pageworker_supervisor.config.settings import Settings, WorkerSettings

DATA = os.urandom(3_000_000)
DIGEST = hashlib.sha256(DATA).hexdigest()
MIB = 1024 * 1024


def settings_in(url: str, folder: Path) -> Settings:
    return structs.replace(
        settings_for(url),
        worker=WorkerSettings(data_dir=folder),
        files=FileSettings(max_bytes=4 * MIB, tenant_bytes=7 * MIB, keep_hours=1),
    )


async def parts(data: bytes) -> AsyncIterator[bytes]:
    """Without a Content-Length."""
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


def stored_in(folder: Path) -> list[Path]:
    return [path for path in (folder / "files").rglob("*") if path.is_file()]


async def test_an_upload_is_there_for_its_tenant_until_it_is_deleted(live_redis: RedisServer, tmp_path: Path) -> None:
    async with serving(settings_in(live_redis.url, tmp_path)) as api:
        kind = {**api.as_("a1"), "Content-Type": "application/pdf"}
        answer = await api.client.post(f"/v1/files?name=a.pdf&sha256={DIGEST}", content=parts(DATA), headers=kind)
        assert answer.status_code == 201
        file = answer.json()
        assert {**file, "file_id": "", "expires_at": ""} == {
            "file_id": "",
            "expires_at": "",
            "tenant_id": "acme",
            "name": "a.pdf",
            "sha256": DIGEST,
            "bytes": len(DATA),
            "content_type": "application/pdf",
        }
        path = f"/v1/files/{file['file_id']}"
        assert (await api.client.get(path, headers=api.as_("v1"))).json() == file
        assert (await api.client.get(f"{path}?tenant_id=acme", headers=api.as_("f1"))).json() == file
        for other in (path[:-1] + "x", "/v1/files/..", "/v1/files/acme"):
            assert (await api.client.get(other, headers=api.as_("a1"))).status_code == 404, other
        foreign = await api.client.delete(path, headers=api.as_("b1"))
        assert (foreign.status_code, foreign.json()["detail"]) == (404, "There is no such file")
        assert (await api.client.delete(path, headers=api.as_("v1"))).status_code == 403
        assert (await api.client.delete(path, headers=api.as_("a1"))).json() == file
        assert (await api.client.delete(path, headers=api.as_("a1"))).status_code == 404
        assert stored_in(tmp_path) == []


async def test_a_bad_upload_is_refused_by_name_and_leaves_nothing(
    live_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(settings_in(live_redis.url, tmp_path)) as api:

        async def code(query: str, body: bytes | AsyncIterator[bytes], token: str = "a1", **headers: str) -> str:
            sent = {**api.as_(token), **headers}
            answer = await api.client.post(f"/v1/files{query}", content=body, headers=sent)
            return f"{answer.status_code} {answer.json()['code']}"

        assert await code("", b"x") == "400 invalid_request"
        assert await code("?name=../x", b"x") == "400 invalid_request"
        assert await code("?name=x&folder=y", b"x") == "400 invalid_request"
        assert await code("?name=x", b"x", "v1") == "403 scope_missing"
        assert await code("?name=x&tenant_id=beta", b"x") == "404 not_found"
        assert await code("?name=x", b"x", "f1") == "400 invalid_request"
        assert await code("?name=x", b"x", **{"Content-Type": "multipart/form-data"}) == "415 media_type"
        assert await code("?name=x", b"") == "422 file_empty"
        assert await code("?name=x", parts(b"")) == "422 file_empty"
        assert await code(f"?name=x&sha256={'0' * 64}", b"x") == "422 file_hash_mismatch"
        assert await code("?name=x", b"x" * (4 * MIB + 1)) == "413 body_too_large"
        assert await code("?name=x", parts(b"x" * (5 * MIB))) == "413 body_too_large"
        monkeypatch.setattr(file_upload.receive, "__defaults__", (0.1,))
        reader, writer = await begun(api, b"x")
        assert b"408" in await reader.readline()
        writer.close()
        assert stored_in(tmp_path) == []
        for _ in range(2):
            assert (await api.client.post("/v1/files?name=x", content=DATA, headers=api.as_("a1"))).status_code == 201
        assert await code("?name=x", DATA) == "507 storage_full"
        assert (await api.client.post("/v1/files?name=x", content=DATA, headers=api.as_("b1"))).status_code == 201
        (tmp_path / "files").rename(tmp_path / "moved")
        (tmp_path / "files").write_bytes(b"")
        assert await code("?name=x", b"x", "b1") == "503 store_unavailable"


async def begun(api: ServedApi, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An upload of 2 MB that has sent this much."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    token = api.as_("a1")["Authorization"]
    head = f"POST /v1/files?name=x HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 2000000\r\n\r\n"
    writer.write(head.encode() + data)
    await writer.drain()
    return reader, writer


async def test_a_client_that_leaves_leaves_nothing(live_redis: RedisServer, tmp_path: Path) -> None:
    async with serving(settings_in(live_redis.url, tmp_path)) as api:
        reader, writer = await begun(api, b"x" * 1_500_000)
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
        answer = await api.client.post("/v1/files?name=y", content=b"y", headers=api.as_("a1"))
        assert [path.name for path in stored_in(tmp_path)] == [answer.json()["file_id"]]
        usable = await usable_bytes(api)
        assert usable > 4 * MIB, "what was reserved for it is free again"


async def usable_bytes(api: ServedApi) -> int:
    """What may still be stored, in steps."""
    stored = 0
    for _ in range(2):
        answer = await api.client.post("/v1/files?name=z", content=DATA, headers=api.as_("a1"))
        stored += len(DATA) if answer.status_code == 201 else 0
    return stored
