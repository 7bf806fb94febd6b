"""Several workers under load, while versions are published, rolled out, promoted, rolled back and yanked.

The workers have echo runners: they run in this process, without sandbox and browser. Half of the jobs pin a version.
The record of what was allowed when tells afterwards whether each job ran a version that it might run.
"""

import asyncio
import datetime as dt
import random
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pw_modules.author import Author, packed
from pw_servers import RedisServer
from pw_worker import Echoes, echoes, nap

from pageworker_supervisor.registry.index_update import yank
from pageworker_supervisor.rollouts import rollout_entry as edits
from pageworker_supervisor.rollouts.rollout_entry import NO_ENTRY, RolloutAuthor, RolloutEntry, encode_entry

NAME = "shop.product"
FIRST = "1.0.0"
"""In `stable` all the time, and what jobs pin."""
BATCH = 20
FOLLOW_SECONDS = 2.0
"""In which every worker follows a change."""
ANN = RolloutAuthor("ann", "load", 0)
SCHEMA: dict[str, Any] = {"type": "object"}
CHANGES = ("publish", "rollout", "promote", "publish", "rollout", "rollback", "yank")


@dataclass
class AllowedVersions:
    """Which versions jobs without a pin might get, by Unix time of the change."""

    since: list[tuple[float, frozenset[str]]] = field(default_factory=list)

    def allow(self, entry: RolloutEntry, published: frozenset[str]) -> None:
        """From now on, those of this entry."""
        version = edits.replacement(FIRST, entry.replaced, published)
        rollout = entry.running
        both = {rollout.to_version} if rollout is not None and rollout.from_version == version else set()
        self.since.append((time.time(), frozenset({version, *both})))

    def between(self, claimed: float, started: float) -> frozenset[str]:
        """Those of an attempt that chose its version between these moments. A worker follows within FOLLOW_SECONDS."""
        found: set[str] = set()
        for number, (since, versions) in enumerate(self.since):
            until = self.since[number + 1][0] if number + 1 < len(self.since) else float("inf")
            if since <= started and until >= claimed - FOLLOW_SECONDS:
                found |= versions
        return frozenset(found)


@dataclass(frozen=True)
class RolloutLoad:
    """What became of the jobs."""

    changes: Counter[str]
    jobs: int
    answered: int
    statuses: Counter[str]
    wrong_versions: tuple[str, ...]
    versions: frozenset[str]


class RolloutChanges:
    """Makes the changes, one after the other."""

    def __init__(self, author: Author, place: Path, workers: list[Echoes]) -> None:
        self.made: Counter[str] = Counter()
        self.allowed = AllowedVersions()
        self._author = author
        self._place = place
        self._workers = workers
        self._entry, self._revision = NO_ENTRY, 0
        self._published = [FIRST]
        self._yanked: set[str] = set()
        self.allowed.allow(NO_ENTRY, frozenset({FIRST}))

    async def make(self, kind: str) -> None:
        """One change, if it is possible now."""
        newest, entry = self._published[-1], self._entry
        current = edits.replacement(FIRST, entry.replaced, frozenset(self._published))
        match kind:
            case "publish":
                await self._publish(f"1.{len(self._published)}.0")
            case "rollout" if newest not in (current, *entry.rolled_back) and entry.running is None:
                share = random.choice((10.0, 30.0, 60.0))
                await self._write(edits.start(entry, f"r{self._revision}", (current, newest), ANN, percent=share))
            case "promote" if entry.running is not None:
                await self._write(edits.promote(entry, "p", None, ANN))
            case "rollback" if entry.rollout is not None and entry.rollout.from_version not in self._yanked:
                await self._write(edits.roll_back(entry, "b", None, ANN))
            case "yank" if (unused := self._unused(current)) is not None:
                self._yanked.add(unused)
                if random.random() < 0.5:
                    await self._write(edits.withdraw(entry, unused, ANN))
                else:
                    await self._author.publisher(self._place).change(yank(NAME, unused))
            case _:
                return
        self.made[kind] += 1

    async def _publish(self, version: str) -> None:
        await self._author.publish(self._place, packed(NAME, version, schema=SCHEMA), "next")
        self._published.append(version)

    def _unused(self, current: str) -> str | None:
        """A version that no job gets, and that no channel or rollout names."""
        rollout, replaced = self._entry.rollout, self._entry.replaced
        everything = frozenset(self._published)
        named = {FIRST, current, self._published[-1], *self._yanked}
        named |= {edits.replacement(old, replaced, everything) for old in replaced}
        named |= {rollout.from_version, rollout.to_version} if rollout is not None else set()
        return next((each for each in self._published if each not in named), None)

    async def _write(self, entry: RolloutEntry) -> None:
        published = frozenset(self._published) - self._yanked
        store = self._workers[0].queue.rollouts
        assert await store.write(NAME, self._revision, encode_entry(entry), b"{}")
        self._entry, self._revision = entry, self._revision + 1
        self.allowed.allow(entry, published)


async def rollouts_under_load(server: RedisServer, workers: int, changes: int, seed: int) -> RolloutLoad:
    """Make so many changes under load, and compare each result with what was allowed. Raises TimeoutError."""
    random.seed(seed)
    author = Author()
    with tempfile.TemporaryDirectory(prefix="pw-load-") as folder:
        place = Path(folder) / "registry"
        await author.publish(place, packed(NAME, FIRST, schema=SCHEMA))
        more: dict[str, dict[str, Any]] = {
            "modules": {"refresh_seconds": 0.2},
            "rollouts": {"automatic_rollback": False},
        }
        async with AsyncExitStack() as stack:
            opened = [
                await stack.enter_async_context(
                    echoes(server.url, server, (place, author.key.public.line()), worker_id=f"w{number}", more=more)
                )
                for number in range(workers)
            ]
            made = RolloutChanges(author, place, opened)
            pushed = await _make_under_load(opened[0], made, changes)
            await opened[0].answered(pushed, 120)
            results = opened[0].results
    wrong = tuple(
        f"{name} ran {one['module_version']}, allowed {sorted(allowed)}"
        for name, one in results.items()
        if one["module_version"] not in (allowed := _allowed(name, one, made.allowed))
    )
    return RolloutLoad(
        changes=made.made,
        jobs=pushed,
        answered=len(results),
        statuses=Counter(one["status"] for one in results.values()),
        wrong_versions=wrong,
        versions=frozenset(one["module_version"] for one in results.values()),
    )


async def _make_under_load(worker: Echoes, made: RolloutChanges, changes: int) -> int:
    """Push jobs as fast as they are answered until all changes are made. Returns how many were pushed."""
    pushed = 0
    done = asyncio.Event()

    async def make() -> None:
        number = 0
        while made.made.total() < changes:
            await made.make(CHANGES[number % len(CHANGES)])
            number += 1
            await worker.turn()
        done.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(make())
        while not done.is_set():
            batch = [
                nap(
                    f"{'pinned' if number % 2 else 'free'}-{number}",
                    2,
                    module=f"{NAME}@{FIRST}" if number % 2 else NAME,
                )
                for number in range(pushed, pushed + 20)
            ]
            await worker.push(*batch)
            pushed += len(batch)
            await worker.answered(pushed - 20, 60)
    return pushed


def _allowed(name: str, result: dict[str, Any], versions: AllowedVersions) -> frozenset[str]:
    if name.startswith("pinned"):
        return frozenset({FIRST})
    started = dt.datetime.fromisoformat(result["attempts"][-1]["started_at"]).timestamp()
    return versions.between(started - result["timing"]["admitted"], started)
