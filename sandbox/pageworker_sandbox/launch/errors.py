"""Why a sandbox was not started, by blame: the host, or this one start."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HostProblem:
    """Something that the host lacks: what, where it was looked for, and how to fix it."""

    what: str
    where: str
    mend: str
    passing: bool = False
    """True: it may pass by itself, for instance because memory or processes are used up for a moment."""

    def __str__(self) -> str:
        return f"{self.what} ({self.where}): {self.mend}"


class HostUnfit(Exception):
    """No sandbox can be started on this host. Lists every problem at once."""

    def __init__(self, problems: tuple[HostProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @property
    def passing(self) -> bool:
        """Whether every problem may pass by itself."""
        return all(problem.passing for problem in self.problems)


class NamespaceRefused(OSError):
    """The kernel refuses the worker's user namespace or its map. `mend` says what to do."""

    def __init__(self, text: str, mend: str) -> None:
        super().__init__(text)
        self.mend = mend


class LaunchFailed(OSError):
    """This sandbox did not start. The text ends with the launcher's own output. Retryable."""
