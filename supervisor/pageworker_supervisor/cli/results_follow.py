"""`workerctl results --follow`: prints new results as they come, and can continue where it stopped."""

import asyncio

import msgspec
from msgspec import Struct

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.cli.answers import FollowedResult
from pageworker_supervisor.cli.connect import Config, OpenQueue, open_queue
from pageworker_supervisor.cli.job_rows import row_of_result, stream_fields
from pageworker_supervisor.cli.output import CommandError, CommandExit, flush, note, put, show_json
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.redis_client.router import root, shard_of
from pageworker_supervisor.task_supervision import leaves

WAIT_MS = 2000
RESULTS_PER_READ = 20
WAITING_RESULTS = 100
"""Results of all shards that are read and not printed yet."""
FROM_START = "0-0"


class ResultsPosition(Struct, frozen=True):
    """The last entry that was read of each shard's stream of results. Its text is `SHARD:ENTRY,…`."""

    entries: dict[int, str]

    @classmethod
    def parse(cls, untrusted_text: str, shards: int) -> "ResultsPosition":
        """Raises CommandError unless every part names a shard and an entry."""
        entries: dict[int, str] = {}
        for part in untrusted_text.split(","):
            shard, _, entry = part.partition(":")
            numbers = entry.split("-")
            if not (
                shard.isdecimal()
                and int(shard) < shards
                and len(numbers) == 2
                and all(number.isdecimal() and len(number) <= 20 for number in numbers)
            ):
                raise CommandError(
                    f"--after: `{printable(untrusted_text)}` is no position in the results",
                    "Copy the text that an earlier `workerctl results --follow` printed.",
                    CommandExit.USAGE,
                )
            entries[int(shard)] = entry
        return cls(entries)

    def behind(self, shard: int, entry: str) -> "ResultsPosition":
        """The position behind one more entry."""
        return ResultsPosition({**self.entries, shard: entry})

    def __str__(self) -> str:
        return ",".join(f"{shard}:{entry}" for shard, entry in sorted(self.entries.items()))


async def follow_results(config: Config, tenant: str | None, count: int | None, after: str | None, json: bool) -> None:
    """Print results until `count` are printed (None: for ever). Raises CommandError."""
    async with open_queue(config) as opened:
        following = FollowedResults(opened, tenant, await _start(opened, tenant, after))
        try:
            await following.print_new(count, json)
        finally:
            note(f"Go on with --after '{following.at}'")


class FollowedResults:
    """The results of one tenant, or of all, from a position on."""

    def __init__(self, opened: OpenQueue, tenant: str | None, at: ResultsPosition) -> None:
        self.at = at
        self._opened = opened
        self._tenant = tenant

    async def print_new(self, count: int | None, json: bool) -> None:
        """Print `count` results as they come. Raises RedisClientError."""
        found: asyncio.Queue[tuple[int, str, bytes]] = asyncio.Queue(WAITING_RESULTS)
        try:
            async with TaskGroup() as tasks:
                reading = [tasks.create_task(self._read(shard, last, found)) for shard, last in self.at.entries.items()]
                printed = 0
                while count is None or printed < count:
                    shard, entry, text = await found.get()
                    self.at = self.at.behind(shard, entry)
                    printed += self._print(text, json)
                for task in reading:
                    task.cancel()
        except* RedisClientError as group:
            raise next(leaves(group)) from group

    async def _read(self, shard: int, last: str, found: asyncio.Queue[tuple[int, str, bytes]]) -> None:
        stream = results_stream(self._opened, shard)
        words = ("XREAD", "COUNT", RESULTS_PER_READ, "BLOCK", WAIT_MS, "STREAMS", stream)
        while True:
            reply = await self._opened.redis_client.send(*words, last, key=stream, blocks=True)
            for _, entries in reply or ():
                for entry, fields in entries:
                    last = entry.decode()
                    await found.put((shard, last, stream_fields(fields).get(b"result", b"")))

    def _print(self, text: bytes, json: bool) -> bool:
        """Print a result, unless it is of another tenant. A text that is no result, which a user of Redis may add, is
        left out."""
        row = row_of_result("0-0", text, 0.0)
        if row is None or self._tenant not in (None, row.tenant_id):
            return False
        if json:
            show_json(msgspec.json.encode(FollowedResult(str(self.at), msgspec.Raw(text))), True)
        else:
            words = (row.ref, row.module or "-", row.status, row.blocker or row.error or "-")
            put("  ".join(printable(word) for word in words))
        flush()
        return True


async def _start(opened: OpenQueue, tenant: str | None, after: str | None) -> ResultsPosition:
    """Where to begin: behind the newest results, or behind `after`. Raises CommandError, RedisClientError."""
    shards = range(opened.shards) if tenant is None else [shard_of(tenant, opened.shards)]
    if after is None:
        return ResultsPosition({shard: await end_of_results(opened, shard) for shard in shards})
    given = ResultsPosition.parse(after, opened.shards)
    at = ResultsPosition({shard: given.entries.get(shard, FROM_START) for shard in shards})
    for shard, entry in at.entries.items():
        oldest = await end_of_results(opened, shard, "XRANGE", "-", "+")
        if entry != FROM_START and _number(oldest) > _number(entry):
            note(f"Results after {entry} of shard {shard} may be missing: the oldest one that is kept is {oldest}.")
    return at


async def end_of_results(
    opened: OpenQueue, shard: int, command: str = "XREVRANGE", first: str = "+", last: str = "-"
) -> str:
    """The newest entry of a shard's stream of results; with XRANGE, `-` and `+` the oldest one."""
    stream = results_stream(opened, shard)
    found = await opened.redis_client.send(command, stream, first, last, "COUNT", 1, key=stream)
    return found[0][0].decode() if found else FROM_START


def results_stream(opened: OpenQueue, shard: int) -> str:
    """The key of a shard's stream of results."""
    return f"{root(opened.prefix, shard)}:results"


def _number(entry: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds), int(sequence)
