"""What a runner and the kernel say about the wall, in the order in which it is best read. Pure."""

from collections.abc import Mapping
from typing import Any


def rows(status: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """`(what, seen from, answer)` of one runner that is up; none where there is none."""
    runner = next((each for each in status.get("runners", ()) if each.get("evidence")), None)
    if runner is None:
        return []
    inside = [(what, "inside", answer) for what, answer in runner["evidence"].items()]
    outside = [(what, "the kernel", answer) for what, answer in (runner.get("proof") or {}).items()]
    return [(what.replace("_", " "), place, str(answer)) for what, place, answer in outside + inside]
