"""Reads and writes a recorded load: JSON lines such as `{"at": 0, "service_seconds": 12.5, "jobs": 3}`. Pure."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.scaling.simulation import Arrivals

MAX_LINES = 2_000_000
MAX_LINE_BYTES = 4096


class LoadInvalid(ValueError):
    """A line of a recorded load is wrong. The text names it."""


class _Line(Struct, forbid_unknown_fields=True):
    at: Annotated[float, Meta(ge=0, le=366 * 86_400)]
    service_seconds: Annotated[float, Meta(gt=0, le=86_400)]
    jobs: Annotated[int, Meta(ge=1, le=10_000_000)] = 1


_decoder = msgspec.json.Decoder(_Line)


def parse_load(untrusted_lines: Iterable[bytes]) -> list[Arrivals]:
    """The entries, in the order of their times. Empty lines are skipped. Raises LoadInvalid."""
    found: list[Arrivals] = []
    for number, text in enumerate(untrusted_lines, 1):
        if number > MAX_LINES:
            raise LoadInvalid(f"the load has more than {MAX_LINES} lines")
        if len(text) > MAX_LINE_BYTES:
            raise LoadInvalid(f"line {number} has more than {MAX_LINE_BYTES} bytes")
        if not text.strip():
            continue
        try:
            line = _decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LoadInvalid(f"line {number}: {printable(error)}") from error
        if found and line.at < found[-1].at:
            raise LoadInvalid(f"line {number}: `at` goes back from {found[-1].at:g} to {line.at:g}: sort the lines")
        found.append(Arrivals(line.at, line.jobs, line.service_seconds))
    if not found:
        raise LoadInvalid("the load has no job")
    return found


def load_lines(load: Iterable[Arrivals]) -> Iterator[str]:
    """A load as lines without line feeds."""
    return (msgspec.json.encode(arrivals).decode() for arrivals in load)
