"""`make fuzz`: mutated inputs for what hostile bytes reach. The last line is JSON.

First a planted mistake must be found. Exit code 0: it was, and nothing else. 1: there is a finding. 2: the suite itself
does not work.
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuzz.merge import merge
from fuzz.places import COMMITTED, FINDINGS, FOUND, REQUIREMENTS, ROOT, SITE
from fuzz.registry import CONTROL, TARGETS
from fuzz.target import FuzzTarget
from fuzz.worker import FuzzReport, ReportedFinding, WorkerPlan

INPUTS = 1_000_000
CONTROL_INPUTS = 500_000
_EDGES = re.compile(rb"cov: (\d+)")


class FuzzerBroken(Exception):
    """The suite does not work here. The message says why."""


@dataclass(frozen=True)
class TargetOutcome:
    """What a worker reported, and the edges of the code that its inputs reached."""

    target: str
    inputs: int
    edges: int
    findings: Sequence[ReportedFinding]


def main() -> int:
    """Returns the exit code."""
    options = _options()
    if options.merge:
        for name in options.target:
            before, after = merge(TARGETS[name])
            print(f"{name}: {before} inputs, {after} of them kept", flush=True)
        return 0
    try:
        install()
        _control()
    except (FuzzerBroken, OSError, subprocess.SubprocessError) as error:
        print(f"the fuzzer does not work: {error}", file=sys.stderr)
        return 2
    targets = [TARGETS[name] for name in options.target]
    whole = sum(target.share for target in targets)

    def one(target: FuzzTarget) -> TargetOutcome:
        part = target.share / whole
        seconds = None if options.seconds is None else options.seconds * part * workers
        outcome = fuzz(target, math.ceil(options.inputs * part), seconds)
        print(f"{outcome.target}: {outcome.inputs} inputs, {outcome.edges} edges", flush=True)
        for finding in outcome.findings:
            print(f"  FINDING {finding.kind}: {finding.where}: {finding.file}", flush=True)
        return outcome

    workers = min(os.cpu_count() or 1, len(targets))
    # The slowest first: the last worker would run alone otherwise.
    with ThreadPoolExecutor(workers) as threads:
        outcomes = list(threads.map(one, targets))
    print(json.dumps(summary(outcomes)))
    return 1 if any(outcome.findings for outcome in outcomes) else 0


def summary(outcomes: Sequence[TargetOutcome]) -> dict[str, object]:
    """The last line."""
    return {
        "suite": "fuzz",
        "inputs": sum(outcome.inputs for outcome in outcomes),
        "findings": sum(len(outcome.findings) for outcome in outcomes),
        "edges": sum(outcome.edges for outcome in outcomes),
        "targets": {outcome.target: {"inputs": outcome.inputs, "edges": outcome.edges} for outcome in outcomes},
    }


def install() -> None:
    """Install atheris into a folder of its own, once. Raises CalledProcessError."""
    wanted, stamp = REQUIREMENTS.read_text(), SITE / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"installing atheris into {SITE.relative_to(ROOT)}", file=sys.stderr)
    shutil.rmtree(SITE, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--require-hashes", "--target", SITE, "-r", REQUIREMENTS], check=True)
    stamp.write_text(wanted)


def fuzz(target: FuzzTarget, inputs: int, seconds: float | None, *, stop: bool = False) -> TargetOutcome:
    """Run a worker for one target. Raises FuzzerBroken."""
    found, findings = FOUND / target.name, FINDINGS / target.name
    for folder in (found, findings):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pw-fuzz-") as scratch:
        seeds = Path(scratch, "seeds")
        seeds.mkdir()
        for number, seed in enumerate(target.seeds):
            (seeds / str(number)).write_bytes(seed)
        committed = COMMITTED / target.name
        corpora = (str(seeds), str(committed)) if committed.is_dir() else (str(seeds),)
        report = Path(scratch, "report")
        plan = WorkerPlan(target.name, inputs, seconds, str(found), corpora, str(findings), str(report), stop)
        before = set(findings.iterdir())
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}:{SITE}"}
        command = [sys.executable, "-m", "fuzz.worker", msgspec.json.encode(plan).decode()]
        ended = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        edges = _EDGES.findall(ended.stderr)
        told = ended.stderr.decode(errors="replace")[-3000:]
        if not edges:
            raise FuzzerBroken(f"{target.name}: exit code {ended.returncode}: {told}")
        if report.exists():
            done = msgspec.json.decode(report.read_bytes(), type=FuzzReport)
            return TargetOutcome(target.name, done.inputs, int(edges[-1]), done.findings)
        # libFuzzer ended the process, and has saved the input.
        saved = sorted(map(str, set(findings.iterdir()) - before)) or [f"no input was saved: {told}"]
        return TargetOutcome(target.name, 0, int(edges[-1]), [ReportedFinding("crash", "outside of Python", saved[0])])


def _control() -> None:
    """Raises FuzzerBroken where the planted mistake is not found."""
    for folder in (FOUND, FINDINGS):
        shutil.rmtree(folder / CONTROL.name, ignore_errors=True)
    outcome = fuzz(CONTROL, CONTROL_INPUTS, None, stop=True)
    if [finding.where.partition(" ")[0] for finding in outcome.findings] != ["IndexError"]:
        raise FuzzerBroken(f"the planted mistake was not found with {outcome.inputs} inputs: {outcome.findings}")
    print(f"control: the planted mistake was found with {outcome.inputs} inputs", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of all targets together")
    parser.add_argument("--seconds", type=float, help="end after this time, with fewer inputs")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--merge", action="store_true", help="keep in tests/fuzz/corpus what covers the code, and end")
    options = parser.parse_args()
    options.target = options.target or list(TARGETS)
    return options


if __name__ == "__main__":
    sys.exit(main())
