"""Counts and budgets of one cell. Pure."""

from collections import Counter

from pageworker_sandbox.egress.messages import Reason, Usage


class Meter:
    """What a cell has used, and whether it may use more."""

    def __init__(self, budget_bytes: int | None = None) -> None:
        self.budget_bytes = budget_bytes
        self.up_bytes = 0
        self.down_bytes = 0
        self.requests = 0
        self.refused: Counter[Reason] = Counter()

    @property
    def exhausted(self) -> bool:
        """Whether the byte budget is used up."""
        return self.budget_bytes is not None and self.up_bytes + self.down_bytes >= self.budget_bytes

    def sends(self, count: int) -> bool:
        """`count` bytes are to go to an origin. False: they are past the budget, don't."""
        if self.exhausted:
            return False
        self.up_bytes += count
        return True

    def receives(self, count: int) -> bool:
        """`count` bytes came from an origin. False: past the budget, drop them and the connection."""
        if self.exhausted:
            return False
        self.down_bytes += count
        return True

    def usage(self, connections: int) -> Usage:
        """The counts, as the supervisor gets them."""
        return Usage(
            up_bytes=self.up_bytes,
            down_bytes=self.down_bytes,
            requests=self.requests,
            connections=connections,
            refused=dict(self.refused),
        )
