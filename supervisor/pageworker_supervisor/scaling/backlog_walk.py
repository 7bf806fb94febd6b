"""Puts a shard's backlogs together from readings of parts of them. Pure.

A reading looks at a bounded number of backlogs, and the next one goes on behind them. At the end the walk begins again.
What is known of the backlogs still to come in this round is what the round before found.
"""

from pageworker_supervisor.queue.demand import ShardDemand, sum_of


class BacklogWalk:
    """The walk over one shard."""

    def __init__(self) -> None:
        self.position = ""
        """Where the next reading goes on."""
        self._this_round: dict[str, ShardDemand] = {}
        self._last_round: dict[str, ShardDemand] | None = None

    def add(self, part: ShardDemand) -> None:
        """A reading from `position` on."""
        self._this_round[self.position] = part
        self.position = part.position
        if not self.position:
            self._last_round, self._this_round = self._this_round, {}

    def total(self) -> tuple[ShardDemand, float]:
        """All that is known, with the other numbers of the newest reading; and which part of the backlogs that is: 1
        once a round is complete. At least one reading was added."""
        begun = list(self._this_round.values())
        if self._last_round is None:
            found = sum_of(begun)
            return found, min(1.0, found.looked / max(1, found.backlogs))
        rest = [part for start, part in self._last_round.items() if start.encode() >= self.position.encode()]
        newest = begun[-1] if begun else rest[-1]
        return sum_of([*(part for part in (*rest, *begun) if part is not newest), newest]), 1.0
