"""Who is to blame for a failed start, and which error its jobs get."""

from pathlib import Path

import pytest

from pageworker_profiles.errors import (
    BrowserOlder,
    ContentDamaged,
    HeadUnreadable,
    ProfileBusy,
    ProfileElsewhere,
    ProfileTampered,
    SnapshotKeyMissing,
    SnapshotStoreAway,
    SnapshotsUnusable,
    StaleFence,
    StoreDamaged,
    StoreDenied,
    StoreFull,
)
from pageworker_sandbox.egress.client import GatewayLost, GatewayRefused
from pageworker_sandbox.egress.errors import InvalidListener, InvalidPolicy
from pageworker_sandbox.launch import HostUnfit, LaunchFailed
from pageworker_supervisor.runners.errors import BrowserNotReady, SpawnFailed
from pageworker_supervisor.runners.start_failure import Blame, explain

HERE = Path("/var/lib/pageworker/profiles/acme/p")


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (ProfileTampered(f"{HERE} is a folder"), Blame.CONTEXT),
        (ProfileBusy(HERE, "pid 1"), Blame.CONTEXT),
        (StaleFence(HERE, 1, 2), Blame.CONTEXT),
        (ProfileElsewhere("on another host"), Blame.CONTEXT),
        (SnapshotStoreAway("s3://bucket"), Blame.CONTEXT),
        (SnapshotKeyMissing("secret profiles"), Blame.CONTEXT),
        (HeadUnreadable("schema 2"), Blame.CONTEXT),
        (SnapshotsUnusable("none left"), Blame.CONTEXT),
        (BrowserOlder("older", "1.0.0.0", "2.0.0.0"), Blame.CONTEXT),
        (InvalidPolicy("hosts: too many"), Blame.CONTEXT),
        (StoreDamaged(f"opening {HERE}"), Blame.UNKNOWN),
        (BrowserNotReady("it did not get ready"), Blame.UNKNOWN),
        (StoreFull("no space"), Blame.HOST),
        (StoreDenied("read-only"), Blame.HOST),
        (LaunchFailed("no sandbox"), Blame.HOST),
        (BlockingIOError(11, "Resource temporarily unavailable"), Blame.HOST),
        (OSError(12, "Cannot allocate memory"), Blame.HOST),
        (HostUnfit(()), Blame.HOST),
        (SpawnFailed("no user id is left"), Blame.HOST),
        (GatewayRefused("full"), Blame.HOST),
        (InvalidListener("no socket"), Blame.HOST),
        (GatewayLost("gone"), Blame.NONE),
    ],
)
def test_blame(error: Exception, blame: Blame) -> None:
    assert explain(error).blame is blame


@pytest.mark.parametrize(
    "error",
    [
        ProfileElsewhere("why"),
        SnapshotStoreAway("why"),
        SnapshotKeyMissing("why"),
        HeadUnreadable("why"),
        BrowserOlder("why", "1.0.0.0", "2.0.0.0"),
    ],
)
def test_a_profile_that_cannot_be_had_now_defers_its_jobs(error: Exception) -> None:
    failure = explain(error)
    assert (failure.charged, failure.had_slot, failure.summary) == (False, False, "why"), "no idle runner is replaced"


def test_a_profile_without_a_good_snapshot_ends_its_jobs() -> None:
    failure = explain(SnapshotsUnusable("why"))
    assert (failure.type, failure.charged, failure.retryable) == ("profile_tampered", True, False)


def test_the_result_names_no_path_of_the_host() -> None:
    for error in (ProfileTampered(f"{HERE} is a folder"), StoreDamaged(f"opening {HERE}"), BrowserNotReady(str(HERE))):
        assert str(HERE) in explain(error).reason
        assert "/" not in explain(error).message


def test_what_would_fail_again_is_not_retryable() -> None:
    assert (explain(ProfileTampered("x")).type, explain(ProfileTampered("x")).retryable) == ("profile_tampered", False)
    for error in (StoreDamaged("x"), ContentDamaged("x")):
        assert (explain(error).type, explain(error).retryable) == ("profile_corrupt", False)
    assert (explain(BrowserNotReady("x")).type, explain(BrowserNotReady("x")).retryable) == (
        "browser_start_failed",
        True,
    )


def test_a_context_that_waits_for_a_lock_is_not_charged() -> None:
    assert not explain(ProfileBusy(HERE, "pid 1")).charged
    assert not explain(StaleFence(HERE, 1, 2)).charged


def test_a_browsers_pages_of_output_make_one_line() -> None:
    assert explain(BrowserNotReady("it went away\nBrowser logs:\n…")).summary == "it went away"
