"""`workerctl rollout watch`: whether a new build of the worker, on workers with one tag, is worse than the others."""

import asyncio
import time
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec import Struct

from pageworker_supervisor.cli.connect import Config, OpenQueue, open_queue
from pageworker_supervisor.cli.duration import seconds_of
from pageworker_supervisor.cli.job_rows import stream_fields
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, show
from pageworker_supervisor.cli.results_follow import end_of_results, results_stream
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.rollouts.build_decision import BuildDecision, BuildEnd, BuildMemory, BuildRules, decide_build
from pageworker_supervisor.rollouts.build_observation import BuildObservation

LOOK_SECONDS = 1.0
LOOKS_SHARE = 4
"""After a look at Redis the command waits at least this many times as long as the look took."""
NOTE_SECONDS = 60.0
RESULTS_PER_READ = 100
READS_PER_LOOK = 50
ENDS: dict[BuildEnd, tuple[CommandExit, str]] = {
    "promote": (CommandExit.DONE, "promote: nothing speaks against the canary"),
    "roll_back": (CommandExit.FAILED, "roll back: the canary is worse"),
    "undecided": (CommandExit.DEADLINE, "undecided: the deadline has passed"),
}


class WatchedBuild(Struct, frozen=True, kw_only=True):
    """How a watch ended. `canary`, `stable`: the `worker.id` of the workers that were seen. `counts`: what they did;
    `new` is the canary."""

    decision: BuildEnd
    evidence: str
    seconds: float
    canary: tuple[str, ...]
    stable: tuple[str, ...]
    counts: dict[str, int]


async def watch(
    *,
    canary: str,
    stable: str | None = None,
    jobs: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    after: str = "10m",
    deadline: str = "1h",
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Check whether a new build of the worker is worse than the one that runs.

    Set a tag in `worker.tags` of the workers with the new build, wait until they are warm, and start this command. It
    compares failed and blocked attempts, durations, lost leases and restarts of both groups, and changes nothing. It
    needs only Redis, and no worker on this host (docs/rollouts.md).

    The exit code is 0 if the new build is not worse, 1 if it is worse, and 5 if the deadline passed without a decision,
    e.g. because no job ran or Redis was away. Example: `workerctl rollout watch --canary next`.

    Parameters
    ----------
    canary
        Tag of the workers with the new build.
    stable
        Tag of the workers to compare with. Default: all workers without the tag of the canary.
    jobs
        Attempts that each group needs before the exit code is 0. Default: `rollouts.promote_after_jobs`.
    after
        How long to watch at least before the exit code is 0. The command ends with 1 as soon as the build is worse.
    deadline
        How long to watch at most.
    """
    if canary == stable:
        raise CommandError("--canary and --stable are the same tag", "Name two tags.", CommandExit.USAGE)
    most, least = seconds_of(deadline, "--deadline"), seconds_of(after, "--after")
    if least > most:
        raise CommandError(f"--after {after} is longer than --deadline {deadline}", exit_code=CommandExit.USAGE)
    async with open_queue(config) as opened:
        rules = BuildRules(jobs or opened.settings.rollouts.promote_after_jobs, least)
        observation = await BuildWatch.begin(opened, canary, stable)
        answer = await observation.run(rules, most)
    code, text = ENDS[answer.decision]
    show(answer, _text(answer, text), json)
    return code


class BuildWatch:
    """Looks at Redis until the numbers decide."""

    def __init__(self, opened: OpenQueue, observation: BuildObservation, read_to: dict[int, str]) -> None:
        """`read_to`: by shard, the newest result that was there before."""
        self._opened = opened
        self._observation = observation
        self._read_to = read_to

    @classmethod
    async def begin(cls, opened: OpenQueue, canary: str, stable: str | None) -> "BuildWatch":
        """From now on. Raises RedisClientError."""
        read_to = {shard: await end_of_results(opened, shard) for shard in range(opened.shards)}
        page = await opened.queue.workers.everyone()
        return cls(opened, BuildObservation(canary, stable, page.now), read_to)

    async def run(self, rules: BuildRules, deadline_seconds: float) -> WatchedBuild:
        """Until a decision, or the deadline. While Redis is away nothing is decided."""
        began = noted = time.monotonic()
        seconds, away = 0.0, ""
        found = decide_build(BuildMemory(), {}, rules, 0.0)
        while found.end == "undecided" and seconds < deadline_seconds:
            looked = time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, deadline_seconds - seconds)):
                    await self._look()
                away = ""
            except TimeoutError:
                break
            except RedisClientError as error:
                away = f"Redis is away: {error}"
            seconds = time.monotonic() - began
            if not away:
                found = decide_build(found.memory, self._observation.counts, rules, seconds)
            if time.monotonic() - noted >= NOTE_SECONDS:
                noted = time.monotonic()
                note(printable(away or found.evidence))
            if found.end == "undecided":
                took = time.monotonic() - looked
                await asyncio.sleep(min(max(LOOK_SECONDS, LOOKS_SHARE * took), deadline_seconds))
        return self._answer(found, time.monotonic() - began, away)

    async def _look(self) -> None:
        """What is new in Redis. The reports come first: they say which workers the attempts of a result are of."""
        self._observation.take_reports(await self._opened.queue.workers.everyone())
        for shard in self._read_to:
            for _ in range(READS_PER_LOOK):
                if await self._read(shard) < RESULTS_PER_READ:
                    break

    async def _read(self, shard: int) -> int:
        stream = results_stream(self._opened, shard)
        words = ("XREAD", "COUNT", RESULTS_PER_READ, "STREAMS", stream, self._read_to[shard])
        reply = await self._opened.redis_client.send(*words, key=stream)
        entries = [each for _, found in reply or () for each in found]
        for entry, fields in entries:
            self._observation.take_result(stream_fields(fields).get(b"result", b""))
            self._read_to[shard] = entry.decode()
        return len(entries)

    def _answer(self, found: BuildDecision, seconds: float, away: str) -> WatchedBuild:
        arms = self._observation.workers
        return WatchedBuild(
            decision=found.end,
            evidence=f"{away}; {found.evidence}" if away else found.evidence,
            seconds=round(seconds, 3),
            canary=tuple(sorted(worker for worker, arm in arms.items() if arm == "new")),
            stable=tuple(sorted(worker for worker, arm in arms.items() if arm == "old")),
            counts=dict(sorted(self._observation.counts.items())),
        )


def _text(answer: WatchedBuild, text: str) -> str:
    lines = [
        text,
        f"  {answer.evidence}",
        f"  canary: {', '.join(answer.canary) or 'no worker has reported this tag'}",
        f"  stable: {', '.join(answer.stable) or 'no other worker has reported'}",
    ]
    return "\n".join(printable(line) for line in lines)
