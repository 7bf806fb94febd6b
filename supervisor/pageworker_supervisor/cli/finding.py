"""The result of one check of `workerctl doctor`."""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One check: its name, whether it passed, what was found, and how to fix it."""

    name: str
    ok: bool
    found: str
    mend: str = ""
