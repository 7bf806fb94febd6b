"""What is printed of a profile in a snapshot store."""

from pageworker_profiles.snapshots.head import ProfileHead, SnapshotRecord
from pageworker_supervisor.cli.profile_rows import ProfileAnswer, checkpoint_row, details_text, snapshot_row, stored_row

OLD = SnapshotRecord(
    id=f"{1:020}-{'a' * 16}", fence=1, bytes=5, sha256="", key_id="k", browser_version="149.0", published_at=0.0
)
NEW = SnapshotRecord(
    id=f"{2:020}-{'b' * 16}", fence=2, bytes=7, sha256="", key_id="k", published_at=86400.0, bad="login\nlost"
)


def test_the_newest_snapshot_says_when_it_was_used_and_all_of_them_how_large_it_is() -> None:
    row = stored_row("acme", "main", ProfileHead(fence=2, snapshots=(NEW, OLD)), "w1")
    assert (row.bytes, row.used_at, row.browser_version) == (12, "1970-01-02T00:00:00Z", None)
    assert (row.state, row.locked_by) == ("open", "w1")


def test_a_profile_that_was_never_stored_has_no_time() -> None:
    row = stored_row("acme", "main", ProfileHead(fence=2), "")
    assert (row.bytes, row.used_at, row.state, row.locked_by) == (0, None, "closed", None)


def test_a_reason_cannot_add_lines() -> None:
    answer = ProfileAnswer(
        profile=stored_row("acme", "main", ProfileHead(fence=2, snapshots=(NEW, OLD)), ""),
        where="s3://bucket",
        store_id=None,
        store_host=None,
        snapshots=tuple(map(snapshot_row, (NEW, OLD))),
    )
    lines = details_text(answer).split("\n")
    assert len(lines) == 6
    assert lines[-1].split() == [OLD.id, "1970-01-01T00:00:00Z", "5", "149.0", "-"]


def test_a_checkpoint_has_its_time_and_its_bytes() -> None:
    answer = ProfileAnswer(
        profile=stored_row("acme", "main", ProfileHead(fence=2), "w1"),
        where="s3://bucket",
        store_id=None,
        store_host=None,
        checkpoint=checkpoint_row(60.0, 321),
    )
    assert details_text(answer).split("\n")[-1] == "Checkpoint: of 1970-01-01T00:01:00Z, 321 bytes."
