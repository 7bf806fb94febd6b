"""One thing that `workerctl doctor` looked at."""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    mend: str = ""
