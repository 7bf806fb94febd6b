"""The store against real folders, full and missing ones, and a slow one."""

import asyncio
import datetime as dt
import hashlib
import os
import time
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx
import pytest
from pw_servers import s3

from pageworker_sandbox.memfd import seal
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES
from pageworker_supervisor.artifacts import store as store_module
from pageworker_supervisor.artifacts.errors import ArtifactError
from pageworker_supervisor.artifacts.keys import key_of
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.settings import ArtifactSettings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

PNG = b"\x89PNG" + b"x" * 1000


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(store_module, "RETRY_SECONDS", 0.0)


def of_url(url: str) -> Path:
    return Path(url2pathname(urlsplit(url).path))


async def test_bytes_come_back_under_the_url_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = ArtifactStore.open(None, tmp_path)
        artifact = await store.put(JobRef("acme", "job:1"), 2, "screenshot", "image/png", PNG)
    finally:
        os.umask(old)
    file = of_url(artifact.url)
    assert file.read_bytes() == PNG
    assert (artifact.sha256, artifact.bytes) == (hashlib.sha256(PNG).hexdigest(), len(PNG))
    assert (artifact.kind, artifact.content_type) == ("screenshot", "image/png")
    assert file.stat().st_mode & 0o777 == 0o640
    folders = [parent for parent in file.parents if parent.is_relative_to(tmp_path / "artifacts")]
    assert len(folders) == 4
    assert {parent.stat().st_mode & 0o777 for parent in folders} == {0o750}
    assert file.name.startswith("2-screenshot-")
    assert file.suffix == ".png"


async def test_many_at_once_are_all_kept(tmp_path: Path) -> None:
    metrics = Metrics()
    store = ArtifactStore.open(f"file://{tmp_path}/a%20b", tmp_path, metrics)
    async with asyncio.TaskGroup() as tasks:
        puts = [tasks.create_task(store.put(JobRef("t", "j"), 1, "html", "text/html", b"%d" % n)) for n in range(50)]
    files = {of_url(put.result().url) for put in puts}
    assert len(files) == 50
    assert all(file.is_relative_to(tmp_path / "a b") and file.exists() for file in files)
    assert b'pageworker_artifacts_total{outcome="stored"} 50.0' in metrics.expose()


async def test_a_store_that_cannot_be_written_is_an_error_of_its_own_and_comes_back(tmp_path: Path) -> None:
    metrics = Metrics()
    (tmp_path / "artifacts").write_text("a file is in the way")
    store = ArtifactStore.open(None, tmp_path, metrics)
    with pytest.raises(ArtifactError) as caught:
        await store.put(JobRef("t", "j"), 1, "html", "text/html", b"x")
    assert caught.value.type == "unavailable"
    assert str(tmp_path) not in str(caught.value)
    assert b'pageworker_artifacts_total{outcome="unavailable"} 1.0' in metrics.expose()
    (tmp_path / "artifacts").unlink()
    assert await store.put(JobRef("t", "j"), 1, "html", "text/html", b"x")


async def test_a_full_disk_is_told_as_such() -> None:
    """/dev/full's error, through the real call: the file system says ENOSPC."""
    error = store_module._explain(OSError(28, "No space left on device", "/var/lib/x"))
    assert (error.type, str(error)) == ("full", "No space left on device")
    assert store_module._explain(PermissionError(13, "Permission denied")).type == "denied"


async def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        await ArtifactStore.open(None, tmp_path).put(JobRef("t", "j"), 1, "x", "a/b", bytes(MAX_ARTIFACT_BYTES + 1))
    assert caught.value.type == "too_large"


@pytest.mark.parametrize("name", ["PUT_SECONDS", "TRY_SECONDS"])
async def test_a_store_that_hangs_costs_one_job_its_time_and_the_next_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A real object store client against a server that accepts and never answers."""
    monkeypatch.setattr(store_module, name, 0.1)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_REGION", "eu-1")
    gone = asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await gone.wait()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        store = ArtifactStore.open("s3://bucket/prefix", tmp_path)
        with pytest.raises(ArtifactError) as caught:
            await store.put(JobRef("t", "j"), 1, "html", "text/html", b"x")
        assert caught.value.type == "too_slow"
        with pytest.raises(ArtifactError) as caught:
            await store.put(JobRef("t", "j"), 1, "html", "text/html", b"x")
        assert caught.value.type == "paused"
        gone.set()


async def test_slow_artifacts_of_one_tenant_delay_no_other_tenant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All places of the store were taken by them; then it paused for all tenants."""
    monkeypatch.setattr(store_module, "TRY_SECONDS", 2.0)
    monkeypatch.setattr(store_module, "TRIES", 1)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_REGION", "eu-1")
    gone = asyncio.Event()
    answering: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A store that gives up may do so before it has sent anything.
        with suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            if b"/slow/" in await reader.readuntil(b"\r\n\r\n"):
                await gone.wait()
            writer.write(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.append(asyncio.get_running_loop().create_task(answer(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server, asyncio.timeout(30):
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        store = ArtifactStore.open("s3://bucket/prefix", tmp_path, concurrency=8)
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as tasks:
                for number in range(8):
                    tasks.create_task(store.put(JobRef("slow", f"j{number}"), 1, "html", "text/html", b"x"))
                await store.put(JobRef("quick", "j"), 1, "html", "text/html", b"x")
        assert caught.group_contains(ArtifactError, match="not stored within")
        await store.put(JobRef("quick", "j"), 2, "html", "text/html", b"x")
        gone.set()
        await asyncio.gather(*answering)


async def test_what_fails_in_passing_is_tried_again_and_a_refusal_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in s3.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    statuses: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 %b\r\nETag: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % statuses.pop(0))
            await writer.drain()

    metrics = Metrics()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        store = ArtifactStore.open("s3://bucket", tmp_path, metrics)
        statuses[:] = [b"503 Slow Down", b"500 Internal Error", b"200 OK"]
        await store.put(JobRef("t", "j"), 1, "html", "text/html", b"x")
        statuses[:] = [b"403 Forbidden", b"200 OK"]
        with pytest.raises(ArtifactError) as caught:
            await store.put(JobRef("t", "j"), 1, "html", "text/html", b"x")
    assert (caught.value.type, caught.value.retryable, statuses) == ("denied", False, [b"200 OK"])
    assert b'pageworker_artifacts_total{outcome="stored"} 1.0' in metrics.expose()
    assert b'pageworker_artifacts_total{outcome="denied"} 1.0' in metrics.expose()


async def test_bytes_are_read_and_hashed_beside_the_loop(tmp_path: Path) -> None:
    """Processor time of the loop's own thread, against that of one hash: a busy host changes neither."""
    store = ArtifactStore.open(None, tmp_path)
    content = bytes(MAX_ARTIFACT_BYTES)
    descriptor = seal(content, "x")
    begin = time.thread_time()
    await keep(store, descriptor)
    own = time.thread_time() - begin
    os.close(descriptor)
    begin = time.thread_time()
    hashlib.sha256(content)
    assert own < time.thread_time() - begin


async def keep(store: ArtifactStore, descriptor: int) -> None:
    await store.put(JobRef("t", "j"), 1, "x", "a/b", await store.read(descriptor))


async def test_an_object_store_gets_key_and_content_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
    monkeypatch.setenv("AWS_REGION", "eu-1")
    requests: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(len(PNG))
            writer.write(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
            await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        store = ArtifactStore.open("s3://bucket/prefix", tmp_path)
        artifact = await store.put(JobRef("acme", "j"), 1, "screenshot", "image/png", PNG)
    assert artifact.url.startswith("s3://bucket/prefix/acme/")
    head = requests[0].decode().lower()
    assert head.startswith(f"put /bucket/prefix/{artifact.url.split('/prefix/')[1].lower()} ")
    assert "content-type: image/png" in head


async def test_where_it_is_kept_does_not_show_its_password(tmp_path: Path) -> None:
    assert "geheim" not in repr(ArtifactStore.open("s3://k:geheim@bucket", tmp_path))


async def test_a_signed_link_opens_a_private_artifact_and_tells_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in s3.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with s3.s3_server() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT", endpoint)
        store = ArtifactStore.open(f"s3://{s3.BUCKET}/pre fix", tmp_path, link_seconds=90)
        artifact = await store.put(JobRef("acme", "job:1"), 1, "screenshot", "image/png", PNG)
        async with httpx.AsyncClient() as client:
            opened = await client.get(artifact.url)
            assert (opened.content, opened.headers["content-type"]) == (PNG, "image/png")
            assert (await client.get(artifact.url.partition("?")[0])).status_code == 403
        plain = await ArtifactStore.open(f"s3://{s3.BUCKET}/pre fix", tmp_path).put(
            JobRef("acme", "job:1"), 1, "screenshot", "image/png", PNG
        )
    link = httpx.URL(artifact.url)
    assert link.params["X-Amz-Expires"] == "90"
    assert s3.is_signed(artifact.url)
    assert not s3.is_signed(artifact.url.replace("X-Amz-Expires=90", "X-Amz-Expires=9000"))
    assert plain.url.partition("://")[2] == link.path.removeprefix("/")


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("az://container/x", {"AZURE_STORAGE_ACCOUNT_NAME": "acct", "AZURE_STORAGE_SAS_KEY": "sv=2020&sig=geheim"}),
        ("memory:///", {}),
    ],
)
async def test_a_store_that_cannot_sign_says_so_and_stores_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    metrics = Metrics()
    store = ArtifactStore.open(url, tmp_path, metrics, link_seconds=90)
    with pytest.raises(ArtifactError, match="cannot sign") as caught:
        await store.put(JobRef("acme", "j"), 1, "html", "text/html", b"x")
    assert caught.value.type == "unsigned"
    assert "geheim" not in str(caught.value)
    assert b'pageworker_artifacts_total{outcome="unsigned"} 1.0' in metrics.expose()


async def test_files_have_no_signed_links(tmp_path: Path) -> None:
    artifact = await ArtifactStore.open(None, tmp_path, link_seconds=90).put(
        JobRef("acme", "j"), 1, "html", "text/html", b"x"
    )
    assert of_url(artifact.url).read_bytes() == b"x"


async def test_a_worker_deletes_a_kind_after_its_own_days(tmp_path: Path) -> None:
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=5)
    job = JobRef("acme", "j")
    old, kept = (
        tmp_path / "artifacts" / key_of(job, day, 1, kind, "text/html", "ab" * 32) for kind in ("trace", "html")
    )
    for file in (old, kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    deleted = asyncio.Event()
    handler = log.add(lambda _: deleted.set(), filter=lambda record: record["extra"].get("files") == 1)
    store = ArtifactStore.open(None, tmp_path)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        sweeping = tasks.create_task(store.run_sweeps(Live(ArtifactSettings(keep_days_of={"trace": 2.0}))))
        await deleted.wait()
        sweeping.cancel()
    log.remove(handler)
    assert (old.exists(), kept.exists()) == (False, True)
