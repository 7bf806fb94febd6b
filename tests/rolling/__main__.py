"""`make rolling`: four workers, from N-1 to N and back under load. The last line is JSON."""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

import msgspec
from chaos.runner_kinds import CHROMIUM, ECHO

from rolling.builds import newest_version, origin_of, two_builds
from rolling.run import RollingPlan, run

REAL_JOBS_PER_SECOND = 1


class RollingSummary(msgspec.Struct, kw_only=True):
    """The last line of `make rolling`, as JSON."""

    suite: str = "rolling"
    jobs: int = 0
    replaced: int = 0
    lost: int = 0
    double: int = 0
    over_limit: int = 0
    orphans: int = 0
    wrong: int = 0
    seed: int = 0


def main() -> int:
    """Run the plans. Returns exit code 0 if nothing was lost, doubled, left over or wrong."""
    options = _options()
    plans = []
    if options.workers:
        plans.append(RollingPlan(options.seed, options.workers, ECHO, options.jobs_per_second))
    if options.real_workers:
        plans.append(RollingPlan(options.seed, options.real_workers, CHROMIUM, REAL_JOBS_PER_SECOND))
    line = RollingSummary(seed=options.seed)
    with tempfile.TemporaryDirectory(prefix="pw-rolling-", ignore_cleanup_errors=True) as temporary:
        folder = options.keep or Path(temporary)
        folder.chmod(0o711)
        with two_builds(folder, options.before) as builds:
            for build in builds:
                sys.stderr.write(f"build: {origin_of(build)}\n")
            for number, plan in enumerate(plans):
                place = folder / f"run-{number}"
                place.mkdir()
                outcome = asyncio.run(run(plan, builds, place))
                sys.stdout.write(outcome.text() + "\n")
                sys.stdout.flush()
                line.jobs += outcome.jobs
                line.replaced += outcome.replaced
                line.lost += len(outcome.findings.lost)
                line.double += len(outcome.findings.double)
                line.orphans += len(outcome.findings.orphans)
                line.wrong += len(outcome.findings.wrong)
                line.over_limit += len(outcome.over)
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    return int(bool(line.lost or line.double or line.orphans or line.wrong or line.over_limit))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rolling", description=__doc__)
    parser.add_argument("--before", default=newest_version(), help="tag or commit of N-1 (default: the newest tag)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--workers", type=int, default=4, help="workers with echo runners; 0 leaves this run out")
    parser.add_argument("--real-workers", type=int, default=1, help="workers with Chromium, in a run of their own")
    parser.add_argument("--jobs-per-second", type=int, default=60, help="the load of the run with echo runners")
    parser.add_argument("--keep", type=Path, help="write the files of workers and builds to this empty folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
