"""`make rollouts`: simulated rollouts in full, 100 watchers of one Redis, and changes under load.

One JSON line each. The exit code is 1 if a promise does not hold.
"""

import argparse
import asyncio
import json
import sys
import time

from pw_servers import redis_server

from pageworker_supervisor.telemetry import log
from rollouts.build_simulation import minutes_to_roll_back, simulate_builds
from rollouts.load import rollouts_under_load
from rollouts.simulation import SimulatedRollouts, simulate
from rollouts.watchers import delays_of_rollbacks, percentile

SCENARIOS = (
    # Failures of the old and the new version, runs, before so many jobs of the new one, share that must be rolled back.
    (0.10, 0.40, 1000, 40, 0.95),
    (0.20, 0.26, 1000, 2000, 0.90),
)
EQUAL = (0.10, 0.20)
EQUAL_RUNS = 10_000
"""Of each share."""
MOST_ERRORS = 0.01
EQUAL_JOBS = 2000
BAD_BUILD = (0.10, 0.30, 1000, 100, 0.95)
"""Failures of stable and canary, runs, attempts of the canary, share that must be rolled back within them."""
EQUAL_BUILD = 0.10
RESTARTING = (1.0, 1000, 15, 0.95)
"""Share of the canary's minutes with a restart, runs, minutes, share that must be rolled back within them."""
WORKERS, CHANGES = 4, 50
WATCHERS, ROLLBACKS = 100, 20
WATCHING_PROCESSES = 2
OTHER_ENTRIES = 200
"""Of modules that the rollback does not concern."""
MOST_SECONDS = 0.5


def main() -> int:
    """Run all, print, and say whether every promise holds."""
    parser = argparse.ArgumentParser(prog="make rollouts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--divide", type=int, default=1, help="divide the runs by this, for a quick look")
    parser.add_argument("--simulated", action="store_true", help="only the simulated rollouts")
    parser.add_argument("--builds", action="store_true", help="only the simulated builds of the worker")
    parser.add_argument("--watchers", action="store_true", help="only the watchers")
    parser.add_argument("--load", action="store_true", help="only the changes under load")
    options = parser.parse_args()
    log.remove()  # each watcher would log each change
    if options.load:
        return 0 if _load() else 1
    if options.watchers:
        return 0 if _watch() else 1
    if options.builds:
        return 0 if _builds(options.divide, options.seed) else 1
    holds = _simulate(options.divide, options.seed)
    if options.simulated:
        return 0 if holds else 1
    holds &= _builds(options.divide, options.seed)
    holds &= _watch()
    holds &= _load()
    return 0 if holds else 1


def _simulate(divide: int, seed: int) -> bool:
    holds = True
    for old, new, runs, before, wanted in SCENARIOS:
        began = time.monotonic()
        found = simulate(old, new, runs // divide, before - 1, seed)
        holds &= found.before(before) >= wanted
        line = {
            "failures": [old, new],
            "runs": found.runs,
            "before_jobs": before,
            "rolled_back": found.before(before),
            "at_least": wanted,
            "median_jobs": _median(found),
        }
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
    errors = runs = 0
    for share in EQUAL:
        began = time.monotonic()
        found = simulate(share, share, EQUAL_RUNS // divide, EQUAL_JOBS, seed)
        errors, runs = errors + len(found.jobs), runs + found.runs
        line = {"failures": [share, share], "runs": found.runs, "rolled_back": found.rolled_back}
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
    holds &= errors / runs < MOST_ERRORS
    print(json.dumps({"equal_versions": runs, "rolled_back": errors / runs, "below": MOST_ERRORS}), flush=True)
    return holds


def _builds(divide: int, seed: int) -> bool:
    stable, canary, runs, attempts, wanted = BAD_BUILD
    bad = simulate_builds(stable, canary, runs // divide, attempts, seed)
    line = {"builds": [stable, canary], "runs": bad.runs, "within_attempts": attempts}
    print(json.dumps(line | {"rolled_back": bad.rolled_back, "at_least": wanted, "median": _median(bad)}), flush=True)
    equal = simulate_builds(EQUAL_BUILD, EQUAL_BUILD, EQUAL_RUNS // divide, EQUAL_JOBS, seed)
    line = {"builds": [EQUAL_BUILD, EQUAL_BUILD], "runs": equal.runs, "within_attempts": EQUAL_JOBS}
    print(json.dumps(line | {"rolled_back": equal.rolled_back, "below": MOST_ERRORS}), flush=True)
    share, runs, minutes, least = RESTARTING
    restarting = minutes_to_roll_back(share, runs // divide, minutes, seed)
    line = {"minutes_with_restart": share, "runs": restarting.runs, "within_minutes": minutes}
    found = {"rolled_back": restarting.rolled_back, "at_least": least, "median": _median(restarting)}
    print(json.dumps(line | found), flush=True)
    promises = (bad.rolled_back >= wanted, equal.rolled_back < MOST_ERRORS, restarting.rolled_back >= least)
    return all(promises)


def _median(found: SimulatedRollouts) -> int | None:
    return found.jobs[len(found.jobs) // 2] if found.jobs else None


def _watch() -> bool:
    with redis_server() as server:
        delays = asyncio.run(delays_of_rollbacks(server.port, WATCHERS, ROLLBACKS, WATCHING_PROCESSES, OTHER_ENTRIES))
    p99 = percentile(delays, 0.99)
    line = {"watchers": WATCHERS, "rollbacks": ROLLBACKS, "p50_ms": round(percentile(delays, 0.5) * 1000, 1)}
    print(json.dumps(line | {"p99_ms": round(p99 * 1000, 1), "max_ms": round(delays[-1] * 1000, 1), "at_most_ms": 500}))
    return p99 <= MOST_SECONDS


def _load() -> bool:
    with redis_server() as server:
        found = asyncio.run(rollouts_under_load(server, WORKERS, CHANGES, seed=1))
    line = {"workers": WORKERS, "changes": dict(found.changes), "jobs": found.jobs, "answered": found.answered}
    line |= {"statuses": dict(found.statuses), "versions": len(found.versions)}
    print(json.dumps(line | {"wrong_versions": found.wrong_versions[:10]}), flush=True)
    only_good = set(found.statuses) == {"succeeded"} and not found.wrong_versions
    return only_good and found.jobs == found.answered


if __name__ == "__main__":
    sys.exit(main())
