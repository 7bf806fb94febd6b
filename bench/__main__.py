"""`python -m bench [names] [--rounds N] [--jobs N] [--probes N] [--strict]`: one JSON line per measurement.

Names: latency, browser, queue, idle, backlog, fairness, flooded, limits, central, broken, budget, lean, observe,
artifacts, switch, versions, gateway, api; without a name all of them run.
With --strict a broken bound makes the exit code 1.
"""

import argparse
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec

from bench.options import Options
from bench.process_tree import adopt_orphans
from bench.rows import with_bound

SUITES = (
    *("latency", "browser", "queue", "idle", "backlog", "fairness", "flooded", "limits", "central", "broken"),
    *("budget", "lean", "observe", "artifacts", "switch", "versions", "gateway", "api"),
)
"""Modules of this package. Each has `rows(options)`, which yields a row as soon as it is measured."""


def main() -> int:
    """Run the named suites and print each row as soon as it is measured. Returns the exit code."""
    default = Options()
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *SUITES], metavar="name")
    parser.add_argument("--rounds", type=int, default=default.rounds)
    parser.add_argument(
        "--jobs",
        type=int,
        default=default.jobs,
        help="jobs per round and contender, instead of the suite's own number",
    )
    parser.add_argument("--probes", type=int, default=default.probes, help="latency samples")
    parser.add_argument("--strict", action="store_true")
    asked = parser.parse_args()
    options = Options(asked.rounds, asked.jobs, asked.probes)
    adopt_orphans()
    kept = True
    for name in asked.names or SUITES:
        for row in import_module(f"bench.{name}").rows(options):
            plain: Mapping[str, Any] = with_bound(msgspec.to_builtins(row))
            kept = kept and plain.get("ok", True)
            print(msgspec.json.encode(plain).decode(), flush=True)
    return 1 if asked.strict and not kept else 0


if __name__ == "__main__":
    sys.exit(main())
