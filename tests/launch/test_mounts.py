"""Mounts as data: equal ones are one, and a bind is read-only unless it says otherwise."""

from pathlib import Path

from pageworker_sandbox.launch.mounts import (
    Bind,
    Data,
    Mask,
    Mount,
    MountMode,
    Scratch,
    Symlink,
    checked_descriptors,
    same,
)


def test_a_bind_is_read_only_unless_it_says_otherwise() -> None:
    assert same(Path("/usr")) == Bind(Path("/usr"), Path("/usr"), MountMode.READ_ONLY)


def test_mounts_can_be_keys_and_kinds_differ_at_the_same_place() -> None:
    place = Path("/x")
    kinds: set[Mount] = {same(place), Data("", place), Scratch(1, place, 1), Mask(place), Symlink("", place)}
    assert len(kinds | {same(place)}) == 5
    assert {mount.inside for mount in kinds} == {place}


def test_only_binds_that_were_checked_have_a_descriptor() -> None:
    place = Path("/x")
    mounts = (same(place), Bind(place, place, checked_fd=7), Data("", place), Bind(place, place, checked_fd=0))
    assert checked_descriptors(mounts) == [7, 0]
