"""What an author reads after a run: how it ended, the lines of the module, and the files beside the result. Pure."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import msgspec

from pageworker_supervisor.contract.printable import printable, printable_json
from pageworker_supervisor.contract.result import Result

_FRAME = re.compile(r"(?P<file>[^\s:][^:]*):(?P<line>[0-9]+)(?: in (?P<function>.*))?")

ReadLine = Callable[[str, int], str | None]
"""The text of a line of a file of the module. None: no such line."""


def report(result: Result, folder: str, read_line: ReadLine) -> str:
    """Several lines. `folder`: how the author named the module's folder; files of the module are shown below it."""
    return "\n".join(_lines(result, folder, read_line))


def _lines(result: Result, folder: str, read_line: ReadLine) -> Iterator[str]:
    timing = result.timing
    yield f"{result.status} in {timing.ran:.2f} s, {timing.admitted:.2f} s to start"
    if result.error is not None:
        yield f"  {printable(result.error.type)}: {printable(result.error.message)}"
        detail = dict(result.error.detail) if isinstance(result.error.detail, dict) else {}
        yield from _trace(detail.pop("trace", None), folder, read_line)
        yield from _indented(detail)
    if result.blocker is not None:
        yield f"  {result.blocker.kind} by {printable(result.blocker.provider or 'an unknown provider')}"
        yield from _indented(result.blocker.evidence)
    if result.status == "succeeded":
        yield from _indented(msgspec.json.decode(result.data))
    for artifact in result.artifacts:
        yield f"  {printable(artifact.kind)}: {printable(unquote(artifact.url.removeprefix('file://')))}"


def _trace(frames: Any, folder: str, read_line: ReadLine) -> Iterator[str]:
    """The lines of the module's own files, the outermost first, each with its text."""
    for frame in frames if isinstance(frames, list) else ():
        found = _FRAME.fullmatch(frame) if isinstance(frame, str) else None
        if found is None:
            continue
        yield f"  {printable(f'{folder}/{frame}')}"
        text = read_line(found["file"], int(found["line"]))
        if text and text.strip():
            yield f"      {printable(text.strip())}"


def _indented(value: Any) -> Iterator[str]:
    if value in (None, {}):
        return
    text = printable_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
    yield from (f"  {line}" for line in text.splitlines())
