"""What a runner reports to its fleet."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pageworker_supervisor.runners.runner import Runner


@dataclass(frozen=True)
class RunnerEvents:
    """The reports as calls."""

    changed: Callable[[], None]
    """It may take more or fewer jobs than before."""
    folder_open: Callable[["Runner"], None]
    """Its context's folder is open: from now on it needs a runner slot."""
    came_up: Callable[["Runner"], None]
