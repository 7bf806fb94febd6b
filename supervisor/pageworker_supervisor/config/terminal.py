"""Whether text for people may have colours."""

import os
from collections.abc import Mapping
from typing import TextIO


def may_have_colours(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """True for a terminal that shows colours, unless NO_COLOR is set (https://no-color.org). Default: os.environ."""
    given = os.environ if environ is None else environ
    return stream.isatty() and not given.get("NO_COLOR") and given.get("TERM") != "dumb"
