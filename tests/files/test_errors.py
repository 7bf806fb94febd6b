"""Errors of files say which file, and whether another try may help."""

from pageworker_supervisor.files.errors import FileError


def test_only_a_store_that_is_away_is_worth_another_try() -> None:
    away = FileError("file_unavailable", "its server answered 503").of("a.pdf")
    assert (str(away), away.retryable, away.detail) == (
        "file a.pdf: its server answered 503",
        True,
        {"file": "a.pdf"},
    )
    assert not FileError("file_unknown", "x").retryable
