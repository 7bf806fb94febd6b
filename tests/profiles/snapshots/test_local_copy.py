"""What a local folder is good for, by its mark and the head."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from pageworker_profiles.errors import StoreDamaged
from pageworker_profiles.snapshots.local_copy import (
    CopyUse,
    LocalCopy,
    boot_id,
    drop_copy,
    next_use,
    read_copy,
    write_copy,
)

COPY = LocalCopy(state="published", store="s", fence=5, snapshot="five", boot="b")
OPEN = replace(COPY, state="open")
LEFT = replace(COPY, state="unpublished")


@pytest.mark.parametrize(
    ("copy", "has_data", "newest", "fence", "use"),
    [
        # No mark: this worker had no snapshot store before, or its mark was taken away before a change.
        (None, False, "", None, CopyUse.FETCH),
        (None, False, "five", 5, CopyUse.FETCH),
        (None, True, "", None, CopyUse.ADOPT),
        (None, True, "five", 5, CopyUse.SET_ASIDE),
        # It is a snapshot.
        (COPY, True, "five", 5, CopyUse.AS_IT_IS),
        (COPY, True, "five", 9, CopyUse.AS_IT_IS),
        (COPY, True, "six", 6, CopyUse.FETCH),
        (COPY, True, "four", 5, CopyUse.FETCH),
        (COPY, True, "", 5, CopyUse.FETCH),
        (replace(COPY, boot="before"), True, "five", 5, CopyUse.FETCH),
        # It is newer than its snapshot, and closed normally.
        (LEFT, True, "four", 5, CopyUse.PUBLISH),
        (LEFT, True, "four", None, CopyUse.PUBLISH),
        (LEFT, True, "six", 6, CopyUse.SET_ASIDE),
        # Its browser was killed.
        (OPEN, True, "five", 5, CopyUse.SET_ASIDE),
        (OPEN, True, "", 5, CopyUse.SET_ASIDE),
        # It belongs to another store.
        (replace(COPY, store="other"), True, "five", 5, CopyUse.SET_ASIDE),
        (replace(COPY, store="other"), True, "", None, CopyUse.ADOPT),
    ],
)
def test_the_use_of_a_local_folder(
    copy: LocalCopy | None, has_data: bool, newest: str, fence: int | None, use: CopyUse
) -> None:
    assert next_use(copy, has_data=has_data, store="s", boot="b", newest=newest, fence=fence) is use


def test_a_mark_is_read_as_it_was_written_and_can_be_taken_away(tmp_path: Path) -> None:
    assert read_copy(tmp_path) is None
    write_copy(tmp_path, OPEN)
    write_copy(tmp_path, LEFT)
    assert read_copy(tmp_path) == LEFT
    assert [file.name for file in tmp_path.iterdir()] == ["local.json"]
    drop_copy(tmp_path)
    drop_copy(tmp_path)
    assert read_copy(tmp_path) is None


def test_a_damaged_mark_is_told(tmp_path: Path) -> None:
    (tmp_path / "local.json").write_bytes(b"{")
    with pytest.raises(StoreDamaged, match=r"local\.json"):
        read_copy(tmp_path)


def test_the_boot_is_that_of_the_kernel() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) == 36
