"""`make chaos`: jobs and faults on every Redis deployment, then with real runners. The last line is JSON."""

import argparse
import asyncio
import random
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from chaos.expected_results import ChaosSummary
from chaos.run import ChaosPlan, run
from chaos.runner_kinds import CHROMIUM, ECHO

SHARES = {"standalone": 0.4, "sentinel": 0.3, "cluster": 0.3}


def main() -> int:
    """Run all plans. Returns exit code 0 if nothing was lost, doubled, left over or wrong."""
    options = _options()
    line = ChaosSummary(seed=options.seed)
    clean = True
    sys.stderr.write(f"seed {options.seed}\n")
    workers = options.workers
    whole = sum(SHARES[name] for name in options.deployments)
    plans = []
    for name in options.deployments:
        part = SHARES[name] / whole
        only = tuple(options.only)
        jobs, faults = round(options.jobs * part), round(options.faults * part)
        kind = ECHO if options.tenants is None else replace(ECHO, tenants=options.tenants)
        plans.append(ChaosPlan(name, options.seed, jobs, faults, workers, kind, options.batch_size, only))
    if options.real_jobs:
        real = options.real_jobs, options.real_faults, workers, CHROMIUM
        plans.append(ChaosPlan("standalone", options.seed, *real, options.batch_size))
    for plan in plans:
        outcome = asyncio.run(run(plan, options.keep))
        sys.stdout.write(outcome.text() + "\n")
        sys.stdout.flush()
        clean = clean and outcome.clean
        line.jobs += outcome.jobs
        line.batches += outcome.findings.batches
        line.faults += outcome.faults.total()
        line.lost += len(outcome.findings.lost)
        line.double += len(outcome.findings.double)
        line.over_limit += len(outcome.over)
        line.orphans += len(outcome.findings.orphans)
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    return 0 if clean else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--jobs", type=int, default=20_500)
    parser.add_argument("--faults", type=int, default=310)
    parser.add_argument(
        "--real-jobs", type=int, default=520, help="jobs on real runners with Chromium; 0 leaves this part out"
    )
    parser.add_argument("--real-faults", type=int, default=40)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=50, help="jobs per batch of a tenant; 0: no batches")
    parser.add_argument(
        "--tenants", type=int, help="how many tenants the echo jobs have: with few, large batches fill (default: 16)"
    )
    parser.add_argument(
        "--deployments",
        nargs="*",
        choices=list(SHARES),
        default=list(SHARES),
        help="Redis deployments to run with echo runners",
    )
    parser.add_argument("--only", nargs="*", default=[], metavar="FAULT", help="draw only these faults")
    parser.add_argument("--keep", type=Path, help="write the workers' files to this empty folder and keep them")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
