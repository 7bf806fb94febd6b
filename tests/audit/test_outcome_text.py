"""Outcomes name no type of Python."""

import asyncio

import pytest

from pageworker_supervisor.audit.outcome_text import failed_text
from pageworker_supervisor.cli.output import CommandError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CommandError("acme/p is open", "Wait."), "failed: acme/p is open"),
        (PermissionError(13, "Permission denied", "/secret/path"), "failed: Permission denied"),
        (OSError("no number"), "failed: no number"),
        (KeyboardInterrupt(), "failed: it was interrupted"),
        (asyncio.CancelledError(), "failed: it was interrupted"),
        (RuntimeError(), "failed: without a message"),
    ],
)
def test_the_outcome_of_an_error(error: BaseException, text: str) -> None:
    assert failed_text(error) == text
