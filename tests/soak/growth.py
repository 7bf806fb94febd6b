"""Runners that retire many times under steady load: what the worker itself uses must not grow."""

import sys
import time
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
from bench.process_tree import PSS
from pw_daemon import DaemonFolder, DaemonProcess, Producer, place
from pw_daemon.processes import below

IN_FLIGHT = 24
PROFILES = (None, None, "p1", "p2")
SAMPLES = 30
MOST_GROWTH = 1.25
"""The most that the last third of a run may exceed its second third: caches are warm by then, a leak still grows."""
SLACK = {"descriptors": 16, "processes": 30, "redis_keys": 200, "supervisor_mb": 8.0}
"""The part that depends on the jobs that run at the moment of a sample."""


@dataclass(frozen=True)
class SoakSample:
    """What the worker uses at one moment, by field."""

    supervisor_mb: float
    descriptors: int
    processes: int
    redis_keys: int
    """Without the keys of results, which stay for their time to live."""


async def watch_growth(minutes: float) -> int:
    """Print samples, and the result as one line of JSON. Returns the exit code: 1 if something grew."""
    async with place() as here, aclosing(Producer(here.redis.url)) as producer:
        # Runners retire many times within one run: leaks are likely at their ends.
        with here.worker(pool={"runners": 2, "pages": 4, "max_jobs": 200, "residency_seconds": 1}) as daemon:
            samples = await soak(here, producer, daemon, 60 * minutes)
            code = daemon.terminate()
    grown = [name for name in SLACK if _grew([float(asdict(sample)[name]) for sample in samples], SLACK[name])]
    doubles = [job for job, times in producer.stream.items() if times > 1]
    wrong = [r["job_id"] for r in producer.results.values() if r["status"] != "succeeded"]
    line = {"suite": "soak_growth", "jobs": len(producer.results), "minutes": minutes, "grown": grown}
    line |= {"double": len(doubles), "wrong": len(wrong), "exit_code": code, "last": asdict(samples[-1])}
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    return 1 if grown or doubles or wrong or code else 0


async def soak(here: DaemonFolder, producer: Producer, daemon: DaemonProcess, seconds: float) -> list[SoakSample]:
    """Keep IN_FLIGHT jobs running, and sample the worker at even intervals."""
    began, pushed, samples = time.monotonic(), 0, list[SoakSample]()
    while (passed := time.monotonic() - began) < seconds:
        wanted = len(producer.results) + IN_FLIGHT - pushed
        texts = [_job(producer, number) for number in range(pushed, pushed + wanted)]
        pushed += wanted
        if texts:
            await producer.push(*texts)
        await producer.collect(len(producer.results) + 1, 60)
        if passed >= len(samples) * seconds / SAMPLES:
            samples.append(await _sample(here, producer, daemon))
            sys.stderr.write(f"{passed:.0f} s, {len(producer.results)} jobs: {samples[-1]}\n")
    await producer.collect(pushed, 60)
    return samples


def _job(producer: Producer, number: int) -> str:
    profile = PROFILES[number % len(PROFILES)]
    payload: dict[str, Any] = {"seconds": 0.02}
    return producer.job(f"soak-{number}", "test.nap", payload, profile_id=profile)


async def _sample(here: DaemonFolder, producer: Producer, daemon: DaemonProcess) -> SoakSample:
    found = PSS.search(Path(f"/proc/{daemon.pid}/smaps_rollup").read_text())
    keys = [key async for key in producer.redis.scan_iter(count=1000)]
    return SoakSample(
        supervisor_mb=int(found[1]) / 1000 if found else 0.0,
        descriptors=len(list(Path(f"/proc/{daemon.pid}/fd").iterdir())),
        processes=len(below(daemon.pid)),
        redis_keys=sum(b":result:" not in key and b":done:" not in key for key in keys),
    )


def _grew(values: list[float], slack: float) -> bool:
    third = len(values) // 3
    before, after = values[third : 2 * third], values[2 * third :]
    return max(after) > MOST_GROWTH * max(before) + slack
