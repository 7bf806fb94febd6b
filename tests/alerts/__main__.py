"""`make alerts`: each alert on a real Prometheus, all durations divided by 60. Its fault is really caused."""

import argparse
import sys
import tempfile
from pathlib import Path

from alerts.faults import CASES, FaultCase
from alerts.rules_file import ALERTS
from alerts.trial import try_fault
from alerts.world import AlertWorld, alert_world


def main() -> int:
    """Print one row per alert. Returns exit code 0 if each fired once and cleared once."""
    parser = argparse.ArgumentParser(prog="alerts", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="only these, e.g. RedisDown")
    only = set(parser.parse_args().only)
    cases = [case for case in CASES if not only or only & set(case.alerts)]
    good = True
    sys.stdout.write(f"{'alert':34} {'fires after':>11} {'clears after':>12} {'times':>5}\n")
    with (
        tempfile.TemporaryDirectory(prefix="pw-alerts-", ignore_cleanup_errors=True) as folder,
        alert_world(Path(folder)) as world,
    ):
        world.wait_past()
        for case in cases:
            good = _try(case, world) and good
    tried = {name for case in cases for name in case.alerts}
    missing = sorted({alert.name.removeprefix("Pageworker") for alert in ALERTS} - tried)
    if missing and not only:
        sys.stdout.write(f"not caused here: {', '.join(missing)}\n")
    return 0 if good else 1


def _try(case: FaultCase, world: AlertWorld) -> bool:
    try:
        trials = try_fault(case, world)
    except TimeoutError as late:
        sys.stdout.write(f"{' '.join(case.alerts):34} FAILED: {late}\n")
        return False
    for trial in trials:
        row = f"{trial.alert:34} {trial.fires_after:9.1f} s {trial.clears_after:10.1f} s {trial.times:5}"
        sys.stdout.write(f"{row} {' '.join(sorted(trial.others))}\n")
    sys.stdout.flush()
    return all(trial.good for trial in trials)


if __name__ == "__main__":
    sys.exit(main())
