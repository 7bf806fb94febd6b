"""Memory, processes and output: a tenant that uses too much learns which limit it exceeded, and no other tenant is
affected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pw_daemon import HEADLESS_SHELL, DaemonProcess, Producer, place, write_module
from pw_daemon.native import node_body
from tenants.rival import Rival, totals, unharmed

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(200),
    # Two limits are reached in a fixed order only if the host has time for both watches.
    pytest.mark.exclusive,
]

MIB = 1024**2
MEMORY_BYTES = 800 * MIB
"""A quarter of it is the size of each tmpfs."""
PROCESSES = 220
WAITING_BYTES = 64 * MIB
KEEPS = "const kept = Buffer.alloc(250 << 20, 1);"
"""Less than there is, but not beside a full tmpfs."""
STAYS = "setInterval(() => {}, 1000);"
FILL = """
const fs = require('fs');
for (const path of PATHS) {
  try {
    const f = fs.openSync(path, 'w');
    for (let i = 0; i < MOST; i++) fs.writeSync(f, Buffer.alloc(1 << 20));
  } catch (e) {}
}
"""
STORM = """
const child = require('child_process');
for (let i = 0; i < 400; i++) {
  try { child.spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']).on('error', () => {}) } catch (e) {}
}
"""
THREADS = """
import threading
threading.stack_size(256 * 1024)
enough = threading.Event()
try:
    for _ in range(400):
        threading.Thread(target=enough.wait, daemon=True).start()
finally:
    enough.set()
"""
# Lines without end, past the runner's own code.
LINES = """
import os, struct, sys, msgspec
line = msgspec.msgpack.encode({"attempt_id": None, "level": "info", "message": "x", "fields": {}})
frame = struct.pack("!BBI", 69, 0, len(line)) + line
channel = int(sys.argv[sys.argv.index("--channel-fd") + 1])
os.set_blocking(channel, True)
for _ in range(20_000):
    os.write(channel, frame)
await asyncio.sleep(60)
"""
PAGES = """
await page.evaluate("window.kept = Array.from({length: 400}, () => new Uint8Array(1 << 20).fill(1)); 0")
kept = bytearray(b'x') * 600_000_000
await asyncio.sleep(60)
"""
TALKS = """
for number in range(20_000):
    helpers.log.info("x" * 100, number=number)
print("y" * 10_000_000)
return {}
"""
# Beside its own data, which has a limit of its own, a memfd.
HOLDS = """
import os
kept, more = bytearray(b"x") * 600_000_000, os.memfd_create("more")
for _ in range(400):
    os.write(more, bytes(1024 ** 2))
await asyncio.sleep(60)
"""
LEAVES = "for number in range(3):\n    await helpers.artifact('a', bytes(31 * 1024 * 1024))\nreturn {}"
LEAVES_ONE = "await helpers.artifact('small', b'x' * 1000)\nreturn {}"
BODIES = {
    "holds": HOLDS,
    "asks": "kept = bytearray(5_000_000_000)",
    "pages": PAGES,
    "fills": node_body(
        FILL.replace("PATHS", "['/tmp/x', '/dev/shm/x', '/profile/x']").replace("MOST", "190") + KEEPS + STAYS
    ),
    "brims": node_body(FILL.replace("PATHS", "['/dev/shm/x']").replace("MOST", "500") + STAYS),
    "storms": node_body(STORM + STAYS),
    "threads": THREADS,
    "lines": LINES,
    "talks": TALKS,
    "leaves": LEAVES,
    "leaves_one": LEAVES_ONE,
    "leaves_much": "for number in range(5):\n    await helpers.artifact('a', bytes(31 * 1024 * 1024))",
    "returns_much": "return {'much': 'x' * 2_000_000}",
    "naps": "await asyncio.sleep(payload['seconds'])\nreturn {}",
}
ATTACKS = ("holds", "asks", "pages", "fills", "brims", "storms", "threads", "lines", "leaves_much", "returns_much")
"""All of them at once, each by a tenant of its own."""


@dataclass
class MemoryHome:
    """One worker, the answers of all attackers, and the jobs of a rival meanwhile."""

    daemon: DaemonProcess
    producer: Producer
    rival: Rival
    meanwhile: list[dict[str, Any]] = field(default_factory=list)

    def job(self, name: str, job_id: str = "", **fields: Any) -> str:
        """One attack, by a tenant of that name."""
        job_id, payload = job_id or f"attack-{name}", fields.pop("payload", {})
        given = {"tenant_id": name.replace("_", "-"), "max_retries": 2, **fields}
        return self.producer.job(job_id, f"odd.{name}", payload, **given)

    async def results(self, *job_ids: str) -> list[dict[str, Any]]:
        """Of these jobs."""
        while missing := [job_id for job_id in job_ids if job_id not in self.producer.results]:
            await self.producer.collect(len(self.producer.results) + len(missing[:1]), 90)
        return [self.producer.results[job_id] for job_id in job_ids]

    def error(self, name: str) -> dict[str, Any]:
        """How an attack ended: failed, once, and for good."""
        result = self.producer.results[f"attack-{name}"]
        assert (result["status"], len(result["attempts"])) == ("failed", 1), result
        error: dict[str, Any] = result["error"]
        assert not error["retryable"]
        return error

    def metric(self, name: str) -> float:
        """A sample of /metrics by its whole name."""
        lines = self.daemon.get("/metrics").text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == name), 0.0)

    def memory_bytes(self) -> int:
        """The most that the daemon itself has used."""
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MemoryHome]:
    folder = tmp_path_factory.mktemp("modules")
    modules = [write_module(folder, f"odd.{name}", body) for name, body in BODIES.items()]
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(place(*modules))
        daemon = stack.enter_context(
            here.worker(
                browser=HEADLESS_SHELL,
                pool={"runners": 5, "pages": 2, "residency_seconds": 0.5},
                sandbox={"memory_bytes": MEMORY_BYTES, "processes": PROCESSES, "scratch_files": 2000},
                artifacts={"waiting_bytes": WAITING_BYTES},
                jobs={"timeout_seconds": 60, "retry_base_seconds": 0.1},
            )
        )
        producer = await stack.enter_async_context(aclosing(Producer(here.redis.url)))
        other = await stack.enter_async_context(aclosing(Producer(here.redis.url, "rival")))
        opened = MemoryHome(daemon, producer, Rival(other))
        await opened.rival.warm()
        async with asyncio.TaskGroup() as tasks:
            pushing = tasks.create_task(opened.rival.run("meanwhile"))
            await producer.push(*(opened.job(name) for name in ATTACKS))
            await opened.results(*(f"attack-{name}" for name in ATTACKS))
            pushing.cancel()
        opened.meanwhile = await opened.rival.answered(30)
        yield opened


async def test_memory_held_by_a_module(shared: MemoryHome) -> None:
    """A's module holds more memory than a runner may: A is told so, with both amounts; B's jobs run once each."""
    error = shared.error("holds")
    assert error["type"] == "memory_limit"
    assert error["detail"] == {"used": error["detail"]["used"], "allowed": MEMORY_BYTES, "unit": "bytes"}
    assert error["detail"]["used"] >= MEMORY_BYTES
    unharmed(shared.meanwhile)


async def test_memory_asked_for_at_once(shared: MemoryHome) -> None:
    """A's module asks for more than there can be: its own allocation fails under that name; B runs on."""
    assert shared.error("asks")["type"] == "memory_limit"
    unharmed(shared.meanwhile)


async def test_memory_held_by_page_and_module_together(shared: MemoryHome) -> None:
    """Neither A's page nor its module holds too much, both together do: the same name; B's pages are others."""
    assert shared.error("pages")["type"] == "memory_limit"
    unharmed(shared.meanwhile)


async def test_memory_in_tmpfs(shared: MemoryHome) -> None:
    """A fills /tmp, /dev/shm and its folder a little each: with its processes that is memory; B has its own."""
    error = shared.error("fills")
    assert (error["type"], error["detail"]["allowed"]) == ("memory_limit", MEMORY_BYTES)
    unharmed(shared.meanwhile)


async def test_a_full_dev_shm(shared: MemoryHome) -> None:
    """A fills /dev/shm to the brim: A is told which folder is full; B's /dev/shm is another."""
    error = shared.error("brims")
    assert (error["type"], error["detail"]["where"], error["detail"]["unit"]) == ("disk_limit", "/dev/shm", "bytes")
    assert error["detail"]["used"] == error["detail"]["allowed"] == MEMORY_BYTES // 4
    unharmed(shared.meanwhile)


async def test_a_storm_of_processes(shared: MemoryHome) -> None:
    """A starts processes without end: A is told so; B's runner can still start what it needs."""
    error = shared.error("storms")
    assert (error["type"], error["detail"]["allowed"], error["detail"]["unit"]) == (
        "process_limit",
        PROCESSES,
        "processes",
    )
    assert error["detail"]["used"] >= PROCESSES - 2
    unharmed(shared.meanwhile)


async def test_threads_without_end(shared: MemoryHome) -> None:
    """A's module starts threads instead of processes: the same limit and name; B runs on."""
    error = shared.error("threads")
    assert (error["type"], error["detail"]["allowed"]) == ("process_limit", PROCESSES)
    unharmed(shared.meanwhile)


async def test_lines_without_end(shared: MemoryHome) -> None:
    """A goes around the SDK and floods the supervisor with log lines: `output_limit`; B is answered meanwhile."""
    error = shared.error("lines")
    assert (error["type"], error["detail"]["unit"]) == ("output_limit", "lines")
    unharmed(shared.meanwhile)


async def test_more_artifacts_than_a_job_may_leave(shared: MemoryHome) -> None:
    """A leaves more bytes than one attempt may: `output_limit`, and what came before is kept; B runs on."""
    error = shared.error("leaves_much")
    assert error["type"] == "output_limit"
    assert error["detail"] == {"used": 4 * 31 * MIB, "allowed": 96 * MIB, "unit": "bytes"}
    kept = [artifact["kind"] for artifact in shared.producer.results["attack-leaves_much"]["artifacts"]]
    assert kept.count("a") == 3
    unharmed(shared.meanwhile)


async def test_a_result_too_large(shared: MemoryHome) -> None:
    """A returns 2 MB: `result_too_large`, as before; B is answered meanwhile."""
    assert shared.error("returns_much")["type"] == "result_too_large"
    unharmed(shared.meanwhile)


async def test_each_limit_is_counted_under_its_name(shared: MemoryHome) -> None:
    """A's breaches are a metric each, which the operator of B can alert on."""
    counted = {
        name: shared.metric(f'pageworker_limit_breaches_total{{limit="{name}"}}')
        for name in ("memory_limit", "process_limit", "disk_limit", "output_limit", "result_too_large")
    }
    assert counted == {
        "memory_limit": 4, "process_limit": 2, "disk_limit": 1, "output_limit": 2, "result_too_large": 1,
    }  # fmt: skip


async def test_a_neighbour_on_the_same_runner_is_not_blamed(shared: MemoryHome) -> None:
    """Two jobs of A share a runner and one breaches: the innocent one succeeds in the end, the other gets the name."""
    fields = {"tenant_id": "twins", "max_retries": 2}
    await shared.producer.push(
        shared.job("naps", "innocent", payload={"seconds": 14}, **fields), shared.job("holds", "guilty", **fields)
    )
    innocent, guilty = await shared.results("innocent", "guilty")
    assert innocent["status"] == "succeeded"
    assert [attempt["outcome"] for attempt in innocent["attempts"]] == ["lost", "succeeded"]
    assert (guilty["status"], guilty["error"]["type"]) == ("failed", "memory_limit")
    assert [attempt["outcome"] for attempt in guilty["attempts"]] == ["lost", "failed"]


async def test_artifacts_wait_in_the_runners_that_left_them(shared: MemoryHome) -> None:
    """Four pages of A leave 93 MiB each at once: the daemon holds no more than it may; B's small one is not held up."""
    before = shared.memory_bytes()
    alone = await one_small(shared, "alone")
    leaving = [f"leaving-{number}" for number in range(4)]
    await shared.producer.push(
        *(shared.job("leaves", job_id, tenant_id=f"big{n % 2}") for n, job_id in enumerate(leaving))
    )
    beside = await one_small(shared, "beside")
    results = await shared.results(*leaving)
    assert {(result["status"], len(result["artifacts"])) for result in results} == {("succeeded", 3)}
    # What waits, and a copy of it on its way into the store.
    assert shared.memory_bytes() - before < 2 * WAITING_BYTES
    assert beside < max(10 * alone, 5.0)


async def one_small(shared: MemoryHome, job_id: str) -> float:
    other = shared.rival.producer
    await other.push(other.job(job_id, "odd.leaves_one", {}))
    while job_id not in other.results:
        await other.collect(len(other.results) + 1, 60)
    assert len(other.results[job_id]["artifacts"]) == 1
    return float(other.results[job_id]["timing"]["total"])


async def test_talk_without_end(shared: MemoryHome) -> None:
    """A logs 20,000 lines and prints 10 MB: it is cut, not ended; B's median is what it was."""
    async with asyncio.TaskGroup() as tasks:
        quiet = len(await shared.rival.answered(10))
        pushing = tasks.create_task(shared.rival.run("talked"))
        await shared.producer.push(shared.job("talks", "talking"))
        (talking,) = await shared.results("talking")
        pushing.cancel()
    assert talking["status"] == "succeeded"
    beside = totals((await shared.rival.answered(20))[quiet:])
    before = totals(shared.meanwhile)
    assert beside[len(beside) // 2] < max(5 * before[len(before) // 2], 0.5)
