"""Why an artifact was not stored, or cannot be read. The job continues without it."""

from typing import Literal

ArtifactFailure = Literal["unavailable", "full", "denied", "too_slow", "too_large", "paused", "unsigned", "drained"]
"""`paused`: the store was too slow for this tenant a moment ago. `drained`: the worker stopped before it was stored."""
PASSING: frozenset[ArtifactFailure] = frozenset({"unavailable", "too_slow"})
"""Another try may succeed."""


class ArtifactError(Exception):
    """The artifact was not stored. The host is to blame, never the job. `type` is a label of the metrics."""

    def __init__(self, type_: ArtifactFailure, message: str) -> None:
        super().__init__(message)
        self.type: ArtifactFailure = type_

    @property
    def retryable(self) -> bool:
        """Whether another try may succeed."""
        return self.type in PASSING


class ArtifactMissing(Exception):
    """The store has no such artifact: it was deleted, or is in another store."""


class ArtifactStoreAway(Exception):
    """The store cannot be read now. The message holds no URL and no path."""
