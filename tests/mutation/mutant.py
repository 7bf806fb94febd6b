"""What one row of the table says."""

from dataclasses import dataclass

QUEUE = "supervisor/pageworker_supervisor/queue"
LUA = f"{QUEUE}/lua"
INTAKE = "supervisor/pageworker_supervisor/intake"
CLIENT = "supervisor/pageworker_supervisor/redis_client"
DISPATCH = "supervisor/pageworker_supervisor/dispatch"
SUPERVISOR = "supervisor/pageworker_supervisor"
RUNNERS = "supervisor/pageworker_supervisor/runners"


@dataclass(frozen=True)
class Mutant:
    """One protection against `failure`, and how to take it out.

    `old` occurs once in `file`. `tests` are pytest node ids. Each of them must fail after `old` was replaced by `new`.
    A node id without parameters fails if any of its cases fails.
    """

    failure: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
