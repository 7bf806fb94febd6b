"""`make chaos`: every deployment, then the real thing; the last line is JSON."""

import argparse
import asyncio
import random
import sys
from pathlib import Path

import msgspec

from chaos.ledger import Line
from chaos.run import Plan, run

SHARES = {"standalone": 0.4, "sentinel": 0.3, "cluster": 0.3}


def main() -> int:
    """Exit code 0: nothing was found."""
    options = _options()
    line = Line(seed=options.seed)
    clean = True
    sys.stderr.write(f"seed {options.seed}\n")
    whole = sum(SHARES[name] for name in options.grounds)
    for name in options.grounds:
        share = SHARES[name] / whole
        plan = Plan(name, options.seed, round(options.jobs * share), round(options.faults * share), options.workers)
        outcome = asyncio.run(run(plan, options.keep))
        sys.stdout.write(outcome.tell() + "\n")
        sys.stdout.flush()
        clean = clean and outcome.clean
        line.jobs += outcome.jobs
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
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--grounds", nargs="+", choices=list(SHARES), default=list(SHARES))
    parser.add_argument("--keep", type=Path, help="keep the workers' files in this empty folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
