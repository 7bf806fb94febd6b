"""What keeps a cell from being started, by blame: the host, or this one start."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HostProblem:
    """Something the host lacks: what, where it was looked for, and how to mend it."""

    what: str
    where: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what} ({self.where}): {self.mend}"


class HostUnfit(Exception):
    """No cell can be started on this host. Every problem at once."""

    def __init__(self, problems: tuple[HostProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class LaunchFailed(OSError):
    """This cell did not come up; the text ends with what its launcher said. Worth another try."""
