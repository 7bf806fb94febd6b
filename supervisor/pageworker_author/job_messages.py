"""What the pytest plugin and the process that runs its jobs say to each other: one JSON object per line."""

from typing import Any

from msgspec import Struct

from pageworker_supervisor.contract.result import Blocker, ResultError, Status


class ServerOptions(Struct, frozen=True, kw_only=True):
    """How the process is started: the only argument of its command line."""

    artifacts: str
    """Folder for the files beside results."""
    record: bool = False
    """Whether runs may record."""
    config: str | None = None
    secrets: str | None = None


class TestedRun(Struct, frozen=True, kw_only=True):
    """One run that is asked for."""

    __test__ = False

    folder: str
    """Of the module."""
    payload: Any
    har: str
    """Path of the HAR file."""
    record: bool = False
    tenant: str = "default"
    timeout_seconds: float | None = None


class TestedResult(Struct, frozen=True, kw_only=True):
    """The result of a job, as far as a test looks at it."""

    __test__ = False

    status: Status
    data: Any = None
    error: ResultError | None = None
    blocker: Blocker | None = None
    artifacts: dict[str, str] = {}
    """Paths of files beside the result, by kind. Of several of one kind, the last."""
    not_recorded: tuple[str, ...] = ()
    """Requests that the HAR file does not answer: `GET https://shop.example/`. They were refused."""


class RunAnswer(Struct, frozen=True, kw_only=True):
    """The result, or why there is none."""

    result: TestedResult | None = None
    refused: str = ""
    mend: str = ""
