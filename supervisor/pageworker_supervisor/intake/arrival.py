"""A pushed text as it arrives, and how long it has waited, as far as that can be known.

A stream's entry carries its time in its id. A text of the list carries none, and producers add none. What can be known
is since when a worker has seen it there: each take notes how many texts it left behind, and since when those are known
to wait; the next take of any worker goes on from that note. So a text waited at least from the first take that left it
behind. How long it lay there before, unseen by any worker, cannot be known and is not counted.
"""

from dataclasses import dataclass

LONGEST_MS = 30 * 86_400_000
"""An entry's id may be chosen by its producer. One that is older than this is taken for no time."""


@dataclass(frozen=True)
class Arrival:
    """One text. `waited_ms`: milliseconds until it was read; never more than it really waited."""

    text: bytes
    waited_ms: int = 0


def waited_ms(entry_id: bytes, now_ms: int) -> int:
    """How long a stream's entry has waited; 0 where its id is no time of the recent past."""
    ms, _, _ = entry_id.partition(b"-")
    waited = now_ms - int(ms)
    return waited if 0 <= waited <= LONGEST_MS else 0
