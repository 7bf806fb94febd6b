"""`python -m soak [--jobs 5000] [--max-jobs N]`, or `--minutes N` for runners that retire often.

The last line is JSON; the exit code is 1 if something grew, or is left.
"""

import argparse
import asyncio
import sys

from soak.growth import watch_growth
from soak.steady import WINDOW, run_steady

NEVER = 1_000_000
"""The default of `--max-jobs`: one browser has to stand all jobs. A worker replaces a runner after `pool.max_jobs`."""


def main() -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000, help=f"at least {2 * WINDOW}")
    parser.add_argument("--max-jobs", type=int, default=NEVER, help="jobs after which a runner is replaced")
    parser.add_argument("--minutes", type=float, help="watch a worker whose runners retire often, for so long")
    given = parser.parse_args()
    if given.minutes is not None:
        return asyncio.run(watch_growth(given.minutes))
    if given.jobs < 2 * WINDOW:
        parser.error(f"--jobs must be at least {2 * WINDOW}")
    return asyncio.run(run_steady(given.jobs, given.max_jobs))


if __name__ == "__main__":
    sys.exit(main())
