"""A file of a job in the worker's memory: a sealed memfd whose digest was checked."""

import os
from dataclasses import dataclass


@dataclass
class FetchedFile:
    """Its holder closes it."""

    name: str
    content_type: str
    sha256: str
    bytes: int
    descriptor: int

    def close(self) -> None:
        """Close the memfd. May be called again."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
