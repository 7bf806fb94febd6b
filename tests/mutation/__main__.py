"""`make mutants`: one line a mutant; the last line is JSON. Exit code 0: each was caught."""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from mutation.mutant import Mutant
from mutation.table import MUTANTS
from mutation.trial import attempt

AT_ONCE = 2


def main() -> int:
    """First the tests as they are; then without each protection."""
    rows = _chosen()
    tests = {test for row in rows for test in row.tests}
    whole = attempt(tests)
    if not whole.passes(tests):
        sys.stdout.write(f"{whole.output}\n{' '.join(whole.strange)}\nthe tests fail as they are\n")
        return 2
    with ThreadPoolExecutor(AT_ONCE) as threads:
        survived = [name for name in threads.map(_survivor, rows) if name is not None]
    line = {"suite": "mutants", "mutants": len(rows), "caught": len(rows) - len(survived), "survived": survived}
    sys.stdout.write(json.dumps(line) + "\n")
    return 1 if survived else 0


def _survivor(row: Mutant) -> str | None:
    began = time.monotonic()
    outcome = attempt(row.tests, row)
    caught = outcome.catches(row)
    name = f"{row.failure}: {row.file.rpartition('/')[2]}: {row.old.strip().splitlines()[0].strip()}"
    sys.stdout.write(f"{'caught' if caught else 'SURVIVED'} {time.monotonic() - began:5.1f} s  {name}\n")
    if not caught:
        sys.stdout.write(f"  exit code {outcome.code}, failed {sorted(outcome.failed)}, strange {outcome.strange}\n")
        sys.stdout.write("".join(f"  {line}\n" for line in outcome.output.splitlines()[-12:]))
    sys.stdout.flush()
    return None if caught else name


def _chosen() -> list[Mutant]:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only rows whose failure, file or tests hold one of these")
    words = parser.parse_args().words
    return [row for row in MUTANTS if not words or any(word in repr(row) for word in words)]


if __name__ == "__main__":
    sys.exit(main())
