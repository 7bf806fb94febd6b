"""Errors of profiles become errors of a command: what, how to fix it, and the exit code."""

import os
from pathlib import Path

import pytest

from pageworker_profiles.errors import ProfileBusy, ProfileError, SnapshotStoreAway, StoreDenied
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.profile_places import place_of, profile_errors
from pageworker_supervisor.config.load import read_local


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ProfileBusy(Path("/p/acme/p1"), "w-1"), CommandExit.REFUSED),
        (StoreDenied("denied"), CommandExit.REFUSED),
        (SnapshotStoreAway("away"), CommandExit.UNREACHABLE),
        (ProfileError("broken"), CommandExit.FAILED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_exit_code(error: ProfileError, code: CommandExit) -> None:
    with pytest.raises(CommandError) as told, profile_errors():
        raise error
    assert told.value.exit_code is code


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_root_does_not_work_in_the_folder_of_another_user(tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    os.chown(profiles, 1234, 1234)
    file = tmp_path / "pageworker.toml"
    file.write_text(f"[worker]\ndata_dir = '{tmp_path}'\n")
    with pytest.raises(CommandError, match="belongs to another user") as refused:
        place_of(read_local(file, {}).settings())
    assert refused.value.exit_code is CommandExit.REFUSED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_root_follows_no_link_that_the_workers_user_may_have_put_there(tmp_path: Path) -> None:
    (tmp_path / "profiles").symlink_to("/etc")
    os.chown(tmp_path, 1234, 1234)
    file = tmp_path / "pageworker.toml"
    file.write_text(f"[worker]\ndata_dir = '{tmp_path}'\n")
    with pytest.raises(CommandError, match="it is a link that user 1234 has made or put there") as refused:
        place_of(read_local(file, {}).settings())
    assert refused.value.exit_code is CommandExit.REFUSED
