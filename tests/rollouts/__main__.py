"""`make rollouts`: simulated rollouts in full, one JSON line each. The exit code is 1 if a promise does not hold."""

import argparse
import json
import sys
import time

from rollouts.simulation import simulate

SCENARIOS = (
    # Failures of the old and the new version, runs, before so many jobs of the new one, share that must be rolled back.
    (0.10, 0.40, 1000, 40, 0.95),
    (0.20, 0.26, 1000, 2000, 0.90),
)
EQUAL = (0.10, 0.20)
EQUAL_RUNS = 10_000
MOST_ERRORS = 0.01
EQUAL_JOBS = 2000


def main() -> int:
    """Run all, print, and say whether every promise holds."""
    parser = argparse.ArgumentParser(prog="make rollouts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--divide", type=int, default=1, help="divide the runs by this, for a quick look")
    options = parser.parse_args()
    holds = True
    for old, new, runs, before, wanted in SCENARIOS:
        began = time.monotonic()
        found = simulate(old, new, runs // options.divide, before - 1, options.seed)
        holds &= found.before(before) >= wanted
        line = {
            "failures": [old, new],
            "runs": found.runs,
            "before_jobs": before,
            "rolled_back": found.before(before),
            "at_least": wanted,
            "median_jobs": found.jobs[len(found.jobs) // 2] if found.jobs else None,
        }
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
    errors = runs = 0
    for share in EQUAL:
        began = time.monotonic()
        found = simulate(share, share, EQUAL_RUNS // len(EQUAL) // options.divide, EQUAL_JOBS, options.seed)
        errors, runs = errors + len(found.jobs), runs + found.runs
        line = {"failures": [share, share], "runs": found.runs, "rolled_back": found.rolled_back}
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
    holds &= errors / runs < MOST_ERRORS
    print(json.dumps({"equal_versions": runs, "rolled_back": errors / runs, "below": MOST_ERRORS}))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
