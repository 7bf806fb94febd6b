"""Profiles are local unless a store is named, and hold a bounded number of snapshots."""

import msgspec
import pytest

from pageworker_supervisor.config.profile_settings import ProfileSettings


def test_without_settings_profiles_are_local() -> None:
    assert ProfileSettings().store is None
    assert ProfileSettings().key_secret is None


@pytest.mark.parametrize(
    "wrong", [{"keep_snapshots": 0}, {"keep_snapshots": 21}, {"store_seconds": 0}, {"key_secret": "with-dash"}]
)
def test_what_would_keep_nothing_or_name_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, ProfileSettings)
