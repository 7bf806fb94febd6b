"""A pushed text, and how long it has waited before a worker read it.

The id of a stream entry holds the time of the push. A text of the list holds no time. There the wait counts from the
first take that left the text behind: each take stores how many texts it left and since when they are known to wait, and
the next take of any worker continues from that record. The time before that first take is unknown and not counted.
"""

from dataclasses import dataclass

LONGEST_MS = 30 * 86_400_000
"""Producers may choose the ids of entries. An id that is older than this is not taken for a time."""


@dataclass(frozen=True)
class Arrival:
    """One text. `waited_ms`: milliseconds from the push until it was read; never more than it really waited.

    `origin`: the tenant from whose inbox it was read; None: from the common one.
    """

    text: bytes
    waited_ms: int = 0
    origin: str | None = None


def waited_ms(entry_id: bytes, now_ms: int) -> int:
    """Milliseconds that a stream entry has waited; 0 if its id is not a time of the recent past."""
    ms, _, _ = entry_id.partition(b"-")
    waited = now_ms - int(ms)
    return waited if 0 <= waited <= LONGEST_MS else 0
