"""Errors of the store: each OSError becomes the one that says how to fix it, and can cross to another process."""

import errno
from pathlib import Path

import pytest

from pageworker_profiles import ProfileBusy, ProfileError, ProfileTooLarge, StaleFence, errors
from pageworker_profiles.errors import HostExhausted, StoreDamaged, StoreDenied, StoreFull, explained


@pytest.mark.parametrize(
    ("code", "kind", "fix"),
    [
        (errno.ENOSPC, StoreFull, "free space"),
        (errno.EDQUOT, StoreFull, "quota"),
        (errno.EMFILE, HostExhausted, "LimitNOFILE"),
        (errno.ENOMEM, HostExhausted, "free memory"),
        (errno.EACCES, StoreDenied, "daemon's user"),
        (errno.EROFS, StoreDenied, "writable"),
        (errno.EIO, StoreDamaged, "kernel's log"),
    ],
)
def test_an_os_error_becomes_one_with_act_place_and_fix(code: int, kind: type[ProfileError], fix: str) -> None:
    with pytest.raises(kind, match=fix) as caught, explained("writing", Path("/store/x")):
        raise OSError(code, "why")
    assert str(caught.value).startswith("writing /store/x: why")
    assert caught.value.retryable is (kind in (StoreFull, HostExhausted))


def test_an_error_that_is_explained_already_passes() -> None:
    with pytest.raises(StaleFence), explained("opening", Path("/x")):
        raise StaleFence(Path("/x"), 6, 7)


def test_a_busy_profile_is_worth_another_try_and_an_old_fence_is_not() -> None:
    assert ProfileBusy(Path("/x"), "pid 1").retryable
    assert not StaleFence(Path("/x"), 6, 7).retryable


def test_what_crosses_from_the_folder_worker_is_made_again_from_its_fields() -> None:
    made = ProfileTooLarge("too large", 6, 5, "files")
    again = getattr(errors, type(made).__name__)(str(made), **made.fields())
    assert (str(again), again.used, again.allowed, again.unit) == ("too large", 6, 5, "files")
