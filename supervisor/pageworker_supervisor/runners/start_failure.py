"""Why a runner did not come up, and who is to blame. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from pageworker_profiles.errors import (
    BrowserOlder,
    ContentDamaged,
    HeadUnreadable,
    ProfileBusy,
    ProfileElsewhere,
    ProfileError,
    ProfileTampered,
    ProfileTooLarge,
    SnapshotKeyMissing,
    SnapshotStoreAway,
    SnapshotsUnusable,
    StaleFence,
    StoreDamaged,
)
from pageworker_sandbox.egress.client import GatewayLost
from pageworker_sandbox.egress.errors import EgressError, InvalidPolicy
from pageworker_sandbox.launch import HostUnfit
from pageworker_supervisor.runners.errors import BrowserNotReady, RunnerFailure, SpawnFailed
from pageworker_supervisor.runners.limit_breach import Breach, profile_breach

SUMMARY_CHARS = 300
START_ERRORS = (HostUnfit, ProfileError, EgressError, OSError, SpawnFailed)
"""What may end a start. Any other error is a bug."""


class Blame(Enum):
    """Who made a start fail."""

    CONTEXT = auto()
    """The browser context: another start of it would fail on any host."""
    HOST = auto()
    """This host: no other context would have come up either."""
    UNKNOWN = auto()
    """The context or the host. A start of another context decides."""
    NONE = auto()
    """Neither: the runner was told to go before it was up, or the egress gateway was lost."""


@dataclass(frozen=True)
class StartFailure:
    """One start that failed. `type` and `message` go into results, so they name no path of the host."""

    blame: Blame
    reason: str
    """For the log and the operator. It may name paths of the host."""
    type: str = "browser_start_failed"
    message: str = (
        "The browser does not start for this tenant's browser context, though it starts for others. "
        "Where the job has a profile, that may be damaged: restore it, or remove it to start afresh."
    )
    retryable: bool = True
    charged: bool = True
    """False: the jobs wait, however often the start fails."""
    had_slot: bool = True
    """False: it failed before it needed a runner slot, so a second try costs no other context anything."""
    breach: Breach | None = None
    """The limit that the profile exceeds."""

    @property
    def summary(self) -> str:
        """The reason in one line: a browser writes pages."""
        return self.reason.split("\n", 1)[0][:SUMMARY_CHARS]


class ContextBroken(RunnerFailure):
    """The browser context does not come up, by its own fault. Its jobs fail. A retry makes sense after the pause."""

    def __init__(self, failure: StartFailure, retry_after_seconds: float) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry_after_seconds = retry_after_seconds


def failure_of(errors: Sequence[BaseException], said: str, *, told_to_go: bool) -> StartFailure:
    """The failure of a start. `said`: why the runner was ended, "" if it ended by itself."""
    if told_to_go:
        return StartFailure(Blame.NONE, said or "it was told to go")
    return explain(errors[0] if errors else BrowserNotReady(said or "the runner exited"))


def explain(error: BaseException) -> StartFailure:
    """The failure that an error at the start means."""
    reason = str(error) or repr(error)
    match error:
        case ProfileTampered():
            return StartFailure(
                Blame.CONTEXT,
                reason,
                "profile_tampered",
                "The profile holds what cannot be opened safely (a hard link, a device, too many files). "
                "Restore it, or remove it to start afresh.",
                retryable=False,
                had_slot=False,
            )
        case ProfileTooLarge():
            breach = profile_breach(error)
            return StartFailure(
                Blame.CONTEXT, reason, breach.limit, breach.message, retryable=False, had_slot=False, breach=breach
            )
        case StoreDamaged():
            return StartFailure(
                Blame.UNKNOWN,
                reason,
                "profile_corrupt",
                "The profile on disk is damaged. Restore it, or remove it to start afresh.",
                retryable=False,
                had_slot=False,
            )
        case ContentDamaged():
            return StartFailure(
                Blame.CONTEXT,
                reason,
                "profile_corrupt",
                "A database of the browser in the profile is damaged. "
                "Restore the profile, or remove it to start afresh.",
                retryable=False,
                had_slot=False,
            )
        case SnapshotsUnusable():
            return StartFailure(
                Blame.CONTEXT,
                reason,
                "profile_tampered",
                "No snapshot of the profile can be used. Restore one, or remove the profile to start afresh.",
                retryable=False,
                had_slot=False,
            )
        case SnapshotStoreAway() | SnapshotKeyMissing() | HeadUnreadable() | ProfileElsewhere() | BrowserOlder():
            # The profile cannot be had here now: its jobs wait, and no other context is concerned.
            return StartFailure(Blame.CONTEXT, reason, charged=False, had_slot=False)
        case ProfileBusy() | StaleFence():
            return StartFailure(Blame.CONTEXT, reason, charged=False, had_slot=False)
        case InvalidPolicy():
            return StartFailure(
                Blame.CONTEXT,
                reason,
                message=f"The tenant's egress settings make no valid policy: {reason}",
                retryable=False,
            )
        case GatewayLost():
            return StartFailure(Blame.NONE, reason)
        case BrowserNotReady():
            return StartFailure(Blame.UNKNOWN, reason)
        case _:
            return StartFailure(Blame.HOST, reason)
