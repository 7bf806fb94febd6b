"""What is at the other end of a stream: a terminal that shows colours, or the journal."""

import os
from collections.abc import Mapping
from typing import TextIO


def may_have_colours(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """True for a terminal that shows colours, unless NO_COLOR is set (https://no-color.org). Default: os.environ."""
    given = os.environ if environ is None else environ
    return stream.isatty() and not given.get("NO_COLOR") and given.get("TERM") != "dumb"


def is_journal(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether what is written to this stream goes to systemd's journal. Source: systemd.exec(5), $JOURNAL_STREAM.

    The variable alone says nothing: a process whose output goes to a file inherits it too. Default: os.environ.
    """
    given = os.environ if environ is None else environ
    named = given.get("JOURNAL_STREAM", "")
    if not named:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False  # a stream without a descriptor
    return named == f"{status.st_dev}:{status.st_ino}"
