"""The isolation of one runner, as the runner itself and the kernel report it. No I/O."""

from collections.abc import Mapping
from typing import Any


def rows(status: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """`(check, reported by, answer)` of the first runner that is up, the kernel's answers first.

    `status` is the answer to `GET /status`. Empty if no runner is up.
    """
    runner = next((each for each in status.get("runners", ()) if each.get("evidence")), None)
    if runner is None:
        return []
    by_runner = [(check, "runner", answer) for check, answer in runner["evidence"].items()]
    by_kernel = [(check, "kernel", answer) for check, answer in (runner.get("proof") or {}).items()]
    return [(check.replace("_", " "), reporter, str(answer)) for check, reporter, answer in by_kernel + by_runner]
