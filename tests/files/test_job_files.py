"""The files of a job in a worker's memory: within bounds of bytes and time, and none left after a failure."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from files.conftest import stored
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pageworker_demo.loopback_server import served
from pageworker_sandbox.memfd import read_sealed
from pageworker_supervisor.config.file_settings import FileSettings
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.files.errors import FileError, FilesCrowded
from pageworker_supervisor.files.job_files import JobFiles

STORE = "http://store.example"
HALF = 96 * 1024 * 1024
"""What one tenant may have of the least `memory_bytes`."""


def job(*files: dict[str, Any]) -> Job:
    given = {"job_id": "1", "tenant_id": "acme", "endpoint_module": "claim.upload", "files": files}
    return msgspec.convert(given, Job)


def of_url(path: str, name: str = "a.bin", **more: Any) -> dict[str, Any]:
    return {"name": name, "url": f"{STORE}/{path}", **more}


async def answer(request: Request) -> Response:
    match request.path_params["kind"]:
        case "ok":
            assert "cookie" not in request.headers
            return Response(b"abc", media_type="text/csv; charset=utf-8")
        case "gzip":
            return Response(b"abc", headers={"Content-Encoding": "gzip"})
        case "large":
            return Response(b"x" * 2001)
        case "slow":
            return StreamingResponse(endless())
    return Response(status_code=int(request.path_params["kind"]), headers={"Location": "/ok"})


async def endless() -> AsyncIterator[bytes]:
    yield b"x"
    await asyncio.Event().wait()


@asynccontextmanager
async def files_in(folder: Path, **more: Any) -> AsyncIterator[JobFiles]:
    settings = {"memory_bytes": 2 * HALF, "max_bytes": 2000, "allowed_urls": [f"{STORE}/*"], **more}
    async with served(Starlette(routes=[Route("/{kind}", answer)])) as port:
        hosts = {"store.example": f"127.0.0.1:{port}"}
        yield JobFiles(Live(msgspec.convert(settings, FileSettings)), hosts, folder)


def descriptors() -> list[str]:
    """Of this process, those of files of jobs."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115 - as above
        except OSError:
            continue  # that of the listing itself
    return [name for name in found if "job file" in name]


async def test_files_of_both_kinds_are_held_until_the_attempt_ends(tmp_path: Path) -> None:
    async with files_in(tmp_path) as files:
        upload = await stored(files.store, b"of the store", time.time() + 60)
        digest = hashlib.sha256(b"abc").hexdigest()
        held = await files.fetch(job({"name": "s", "file_id": upload.file_id}, of_url("ok", sha256=digest)))
        assert [(one.name, one.content_type, read_sealed(one.descriptor, 100)) for one in held.files] == [
            ("s", "application/pdf", b"of the store"),
            ("a.bin", "text/csv", b"abc"),
        ]
        assert (files.memory.used, len(descriptors())) == (15, 2)
        held.close()
        held.close()
        assert (files.memory.used, descriptors()) == (0, [])
        assert (await files.fetch(job())).files == ()


@pytest.mark.parametrize(
    ("wrong", "type_"),
    [
        (of_url("302", "b"), "file_not_allowed"),
        (of_url("403", "b"), "file_unknown"),
        (of_url("503", "b"), "file_unavailable"),
        (of_url("429", "b"), "file_unavailable"),
        (of_url("gzip", "b"), "file_unavailable"),
        (of_url("large", "b"), "file_too_large"),
        (of_url("slow", "b"), "file_unavailable"),
        (of_url("ok", "b", sha256="0" * 64), "file_hash_mismatch"),
        ({"name": "b", "url": "http://store.example:81/ok"}, "file_not_allowed"),
        ({"name": "b", "file_id": "f_9999999999_" + "a" * 32}, "file_unknown"),
    ],
)
async def test_one_wrong_file_leaves_nothing_of_the_others(tmp_path: Path, wrong: dict[str, Any], type_: str) -> None:
    async with files_in(tmp_path, fetch_seconds=1.0) as files:
        with pytest.raises(FileError) as refused:
            await files.fetch(job(of_url("ok"), wrong))
        assert refused.value.type == type_
        assert (files.memory.used, descriptors()) == (0, [])


async def test_a_job_waits_for_memory_and_then_for_another_turn(tmp_path: Path) -> None:
    async with files_in(tmp_path, fetch_seconds=0.05) as files:
        with files.memory.claim("acme", HALF) as other:
            assert other.held
            with pytest.raises(FilesCrowded):
                await files.fetch(job(of_url("ok")))
        assert files.memory.used == 0
