"""Records the functions that are entered, and the objects of ours that carry a traced job. Imports nothing of ours:
it runs in the supervisor and, as part of a module, in the runner."""

import re
import time
from collections.abc import Iterable, Iterator
from types import CodeType, FrameType
from typing import Any

JOB = re.compile(r"traced-job-\d+")
"""Ids of the jobs that are followed."""
OURS = re.compile(r".*/(?:code|supervisor|runner|sandbox|profiles)/(pageworker(?:_(?!demo)\w+)?/.*\.py)")
"""Source files: in the repository, and where a sandbox has them (`/opt/pageworker/code`)."""
PACKAGES = ("pageworker", "pageworker_runner", "pageworker_sandbox", "pageworker_profiles", "pageworker_supervisor")
TOKEN_FIELDS = ("attempt_id", "token")
LONGEST = 65_536


class Recorder:
    """A profile function for `sys.setprofile`."""

    def __init__(self) -> None:
        self._files: dict[CodeType, str | None] = {}
        self._entered: list[tuple[float, str, str]] = []
        """When, file, function."""
        self._carriers: dict[tuple[str, str], float] = {}
        """First time by (type, job id)."""
        self._jobs: dict[str, str] = {}
        """Job id by lease token."""
        self._types: dict[type, bool] = {}

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        """One event of `sys.setprofile`."""
        code = frame.f_code
        if code not in self._files:
            ours = OURS.fullmatch(code.co_filename)
            self._files[code] = ours[1] if ours else None
        file = self._files[code]
        if file is None or event not in ("call", "return"):
            return
        now = time.monotonic()
        if event == "call":
            self._entered.append((now, file, code.co_qualname))
        for seen in (*frame.f_locals.values(), value):
            if self._is_ours(type(seen)):
                self._look(seen, now)

    def within(self, windows: Iterable[tuple[float, float]]) -> dict[str, Any]:
        """`functions`: for each window of `time.monotonic()`, `file:function` and when it was entered first.
        `carriers`: type, job id, and when it was first seen."""
        return {
            "functions": [self._first_entries(begin, end) for begin, end in windows],
            "carriers": [[name, job, when] for (name, job), when in self._carriers.items()],
        }

    def _first_entries(self, begin: float, end: float) -> dict[str, float]:
        found: dict[str, float] = {}
        for when, file, name in self._entered:
            if begin <= when <= end:
                found.setdefault(f"{file}:{name}", when)
        return found

    def _is_ours(self, kind: type) -> bool:
        if kind not in self._types:
            self._types[kind] = kind.__module__.partition(".")[0] in PACKAGES
        return self._types[kind]

    def _look(self, carrier: Any, now: float) -> None:
        job = self._job_of(carrier)
        if job is None:
            job = next((found for part in fields(carrier) if (found := self._job_of(part)) is not None), None)
        if job is not None:
            kind = type(carrier)
            self._carriers.setdefault((f"{kind.__module__}.{kind.__qualname__}", job), now)

    def _job_of(self, carrier: Any) -> str | None:
        """The id of the traced job that one of the object's own fields names."""
        if not self._is_ours(type(carrier)):
            return None
        for part in fields(carrier):
            job = self._named(part)
            if job is not None:
                for name in TOKEN_FIELDS:
                    token = getattr(carrier, name, None)
                    if isinstance(token, str) and len(token) > 5:
                        self._jobs[token] = job
                return job
        return None

    def _named(self, part: Any) -> str | None:
        if isinstance(part, bytes) and len(part) < LONGEST:
            part = part.decode(errors="replace")
        if not isinstance(part, str) or len(part) >= LONGEST:
            return None
        found = JOB.search(part)
        return found[0] if found else self._jobs.get(part)


def fields(carrier: Any) -> Iterator[Any]:
    """The values of an object's fields, without calling any code of its class."""
    names = [name for kind in type(carrier).__mro__ for name in _slots(kind)]
    for name in names:
        try:
            yield object.__getattribute__(carrier, name)
        except AttributeError:
            continue
    try:
        yield from list(object.__getattribute__(carrier, "__dict__").values())
    except AttributeError:
        return


def _slots(kind: type) -> tuple[str, ...]:
    own = kind.__dict__.get("__slots__", ()) or kind.__dict__.get("__struct_fields__", ())
    if isinstance(own, str):
        return (own,)
    return tuple(own) if isinstance(own, (tuple, list, dict)) else ()
