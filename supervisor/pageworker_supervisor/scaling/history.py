"""The samples that all fleet processes of one Redis share: the stream `<prefix>:{0}:scaling`.

Time is divided into intervals of SAMPLE_SECONDS on Redis' clock. The process that is first in an interval decides for
all, and its record stays. So two processes show the same number, and either may end at any time.
"""

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client.errors import RightMissing
from pageworker_supervisor.scaling.decider import KEPT_SECONDS, SAMPLE_SECONDS, Decision, LoadSample
from pageworker_supervisor.telemetry import log

AHEAD_MS = 60_000
"""By how much the clocks of two primaries may differ."""


class ScalingRecord(Struct, frozen=True, kw_only=True):
    """One entry of the stream."""

    slot_ms: int
    """When its interval begins."""
    sample: LoadSample
    decision: Decision


_decoder = msgspec.json.Decoder(ScalingRecord)


def slot_of(at: float) -> int:
    """When the interval of this time begins, milliseconds."""
    return int(at // SAMPLE_SECONDS * SAMPLE_SECONDS * 1000)


class ScalingHistory:
    """The records, as far as they were read. Raises RedisClientError."""

    def __init__(self, queue: QueueClient) -> None:
        self._queue = queue
        self.records: list[ScalingRecord] = []
        self._refused = False

    @property
    def samples(self) -> list[LoadSample]:
        """The samples of all records, the oldest first."""
        return [record.sample for record in self.records]

    async def refresh(self) -> None:
        """Read the records that are new."""
        await self._exchange(0, b"")

    def drop_later(self, slot_ms: int) -> None:
        """Drop records of long after this interval, which is now. Redis drops entries of the future; who can write to
        it may write one whose text has another time than its id."""
        self.records = [record for record in self.records if record.slot_ms <= slot_ms + AHEAD_MS]

    async def add(self, record: ScalingRecord) -> ScalingRecord:
        """Keep a record, and return that of its interval: another one if another process was first.

        Without the right to write it is remembered here alone.
        """
        await self._exchange(record.slot_ms, msgspec.json.encode(record))
        if not self.records or self.records[-1].slot_ms < record.slot_ms:
            self.records.append(record)
            self._forget_old()
        return self.records[-1]

    async def _exchange(self, slot_ms: int, text: bytes) -> None:
        after_ms = self.records[-1].slot_ms if self.records else 0
        try:
            reset, untrusted_texts = await self._queue.inspection.add_scaling_sample(slot_ms, text, after_ms)
        except RightMissing as error:
            if not self._refused:
                self._refused = True
                log.warning("samples are not shared: the Redis user may not write", error=str(error))
            return
        if reset:
            self.records.clear()
        for untrusted_text in untrusted_texts:
            record = parse_record(untrusted_text)
            if record is not None and (not self.records or record.slot_ms > self.records[-1].slot_ms):
                self.records.append(record)
        self._forget_old()

    def _forget_old(self) -> None:
        if self.records:
            oldest_ms = self.records[-1].slot_ms - KEPT_SECONDS * 1000
            self.records = [record for record in self.records if record.slot_ms >= oldest_ms]


def parse_record(untrusted_text: bytes) -> ScalingRecord | None:
    """None if it is no record: of another release, or of another client of Redis."""
    try:
        return _decoder.decode(untrusted_text)
    except UNREADABLE:
        return None
