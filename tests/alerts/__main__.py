"""`make alerts`: each alert on a real Prometheus, all durations divided by 60. Its fault is really caused.

A case that fails while scrapes failed is tried again: then this host was too busy, and the alerts saw gaps.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from alerts.faults import CASES, FaultCase
from alerts.prometheus_process import SCRAPE_SECONDS
from alerts.rules_file import ALERTS
from alerts.trial import try_fault
from alerts.world import AlertWorld, alert_world

from pageworker_supervisor.admin.errors import ControlError

TRIES = 3


def main() -> int:
    """Print one row per alert. Returns exit code 0 if each fired once and cleared once."""
    parser = argparse.ArgumentParser(prog="alerts", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="only these, e.g. RedisDown")
    parser.add_argument(
        "--scrape-seconds",
        type=float,
        default=SCRAPE_SECONDS,
        metavar="N",
        help="the interval of scrapes before it is divided (default: %(default)g); a busy host needs 60",
    )
    arguments = parser.parse_args()
    only = set(arguments.only)
    cases = [case for case in CASES if not only or only & set(case.alerts)]
    good = True
    sys.stdout.write(f"{'alert':34} {'fires after':>11} {'clears after':>12} {'times':>5}\n")
    with (
        tempfile.TemporaryDirectory(prefix="pw-alerts-", ignore_cleanup_errors=True) as folder,
        alert_world(Path(folder), scrape_seconds=arguments.scrape_seconds, secrets=True) as world,
    ):
        world.wait_past()
        for case in cases:
            good = _try(case, world) and good
    tried = {name for case in cases for name in case.alerts}
    missing = sorted({alert.name.removeprefix("Pageworker") for alert in ALERTS} - tried)
    if missing and not only:
        sys.stdout.write(f"not caused here: {', '.join(missing)}\n")
        good = False
    return 0 if good else 1


def _try(case: FaultCase, world: AlertWorld) -> bool:
    for tries_left in reversed(range(TRIES)):
        begin = time.time()
        rows, good = _rows(case, world)
        blind = 0.0 if case.stops_targets else world.prometheus.blind_seconds(begin)
        sys.stdout.write("".join(f"{row}\n" for row in rows))
        if good or not blind or not tries_left:
            break
        sys.stdout.write(f"{' '.join(case.alerts):34} once more: no scrape for {blind:.1f} s, this host is too busy\n")
    sys.stdout.flush()
    return good


def _rows(case: FaultCase, world: AlertWorld) -> tuple[list[str], bool]:
    try:
        trials = try_fault(case, world)
    except (TimeoutError, ControlError) as error:
        return [f"{' '.join(case.alerts):34} FAILED: {error}"], False
    rows = [
        f"{trial.alert:34} {trial.fires_after:9.1f} s {trial.clears_after:10.1f} s {trial.times:5}"
        f" {' '.join(sorted(trial.others))}"
        for trial in trials
    ]
    return rows, all(trial.good for trial in trials)


if __name__ == "__main__":
    sys.exit(main())
