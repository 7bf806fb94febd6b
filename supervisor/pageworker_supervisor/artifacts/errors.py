"""Why an artifact was not kept. The job goes on without it."""

from typing import Literal

Fate = Literal["unavailable", "full", "denied", "too_slow", "too_large", "paused"]


class ArtifactError(Exception):
    """The host's fault, never the job's. `type` is a label of the metrics."""

    def __init__(self, type_: Fate, message: str) -> None:
        super().__init__(message)
        self.type: Fate = type_
