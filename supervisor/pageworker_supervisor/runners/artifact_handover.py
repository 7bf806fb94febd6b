"""An artifact on its way from a runner to the artifact store."""

import os
from dataclasses import dataclass


@dataclass
class ArtifactHandover:
    """An artifact that a runner handed over: a sealed memfd that is not read yet. Its holder closes it."""

    kind: str
    content_type: str
    descriptor: int
    bytes: int
    page_url: str | None = None
    page_status: int | None = None

    def close(self) -> None:
        """Close the memfd. May be called again."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
