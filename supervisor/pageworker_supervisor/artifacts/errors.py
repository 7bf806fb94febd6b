"""Why an artifact was not stored. The job continues without it."""

from typing import Literal

ArtifactFailure = Literal["unavailable", "full", "denied", "too_slow", "too_large", "paused", "unsigned"]


class ArtifactError(Exception):
    """The artifact was not stored. The host is to blame, never the job. `type` is a label of the metrics."""

    def __init__(self, type_: ArtifactFailure, message: str) -> None:
        super().__init__(message)
        self.type: ArtifactFailure = type_
