"""Makes the committed corpus of a target: the smallest inputs that together reach every step that any input reaches."""

import hashlib
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.places import COMMITTED, FOUND, ROOT
from fuzz.target import FuzzTarget

FOLLOWED = ("pageworker_sandbox", "pageworker_supervisor", "/h11/", "/socksio/")
Step = tuple[str, int, int]
"""File, line, next line of the same call."""


def merge(target: FuzzTarget) -> tuple[int, int]:
    """Replace the committed corpus of the target. Returns how many inputs there were, and how many are kept."""
    inputs = {*target.seeds, *inputs_in(COMMITTED / target.name), *inputs_in(FOUND / target.name)}
    kept = smallest_cover(target, inputs)
    folder = COMMITTED / target.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for data in kept:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return len(inputs), len(kept)


def inputs_in(folder: Path) -> list[bytes]:
    """The inputs in a folder, in the order of their names. None where there is no folder."""
    return [file.read_bytes() for file in sorted(folder.iterdir())] if folder.is_dir() else []


def smallest_cover(target: FuzzTarget, inputs: Iterable[bytes]) -> list[bytes]:
    """The inputs of which each takes a step that no smaller one takes. Seeds are left out: they run anyway."""
    covered: set[Step] = set()
    for seed in target.seeds:
        # Twice: the first input fills caches, which the others would find filled.
        steps_of(target, seed)
        covered |= steps_of(target, seed)
    kept = []
    for data in sorted(set(inputs) - set(target.seeds), key=lambda each: (len(each), each)):
        steps = steps_of(target, data)
        if not steps <= covered:
            covered |= steps
            kept.append(data)
    return kept


def steps_of(target: FuzzTarget, data: bytes) -> set[Step]:
    """Each step from line to line that the code takes for this input."""
    steps: set[Step] = set()

    def on_call(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if not any(part in file for part in FOLLOWED) or file.startswith(str(ROOT / "tests")):
            return None
        last = [0]

        def on_line(inner: FrameType, kind: str, _: Any) -> Any:
            steps.add((file, last[0], inner.f_lineno))
            last[0] = inner.f_lineno
            return on_line

        return on_line

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        with suppress(*target.raises):
            target.run(data)
    finally:
        sys.settrace(before)
    return steps
