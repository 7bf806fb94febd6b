"""Fuzzes one target: `python -m fuzz.worker` with a WorkerPlan as JSON. Started by the suite, with atheris to import.

libFuzzer ends the process for a segmentation fault, for an input that hangs in C, and for memory. Everything else is
decided by InputJudge, and the run goes on. Writes a FuzzReport.
"""

import os
import sys
import time
from pathlib import Path

import msgspec
from msgspec import Struct

INSTRUMENTED = [
    *(f"pageworker_sandbox.{name}" for name in ("egress", "wire", "signing", "dialer", "hostname", "page_rules")),
    *(f"pageworker_supervisor.{name}" for name in ("contract", "intake", "config")),
    *("fuzz.planted", "h11", "socksio", "tomllib", "zipfile"),
]
"""Packages whose branches are the feedback."""
C_HANG_SECONDS = 120
"""Of real time, for an input that hangs where no Python code runs. A busy machine is no hang."""
MEMORY_MIB = 2048


class WorkerPlan(Struct, frozen=True):
    """What to fuzz and how long."""

    target: str
    inputs: int
    seconds: float | None
    found: str
    """Folder for inputs that reach something new."""
    corpora: tuple[str, ...]
    findings: str
    report: str
    stop: bool = False
    """End with the first finding."""


class ReportedFinding(Struct, frozen=True):
    """One finding. `file` holds the input, `file`.txt the traceback."""

    kind: str
    where: str
    file: str


class FuzzReport(Struct):
    """What a worker did."""

    inputs: int = 0
    findings: list[ReportedFinding] = []


def main() -> None:
    """Fuzz, then write the report and end the process."""
    plan = msgspec.json.decode(sys.argv[1], type=WorkerPlan)
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from fuzz.judge import FuzzFinding, GrowthCheck, InputJudge
        from fuzz.registry import by_name

    target = by_name(plan.target)
    report = FuzzReport()
    growth = GrowthCheck(plan.inputs)
    until = None if plan.seconds is None else time.monotonic() + plan.seconds
    places: set[str] = set()

    def keep(finding: FuzzFinding | None) -> None:
        if finding is None or finding.where in places:
            return
        places.add(finding.where)
        file = Path(plan.findings, finding.name)
        file.write_bytes(finding.data)
        file.with_name(f"{finding.name}.txt").write_text(f"{plan.target}: {finding.where}\n{finding.text}\n")
        report.findings.append(ReportedFinding(finding.kind, finding.where, str(file)))

    with InputJudge(target) as judge:

        def one_input(data: bytes) -> None:
            keep(judge.check(data))
            growth.count()
            report.inputs += 1
            over = until is not None and report.inputs % 64 == 0 and time.monotonic() > until
            if over or report.inputs >= plan.inputs or (plan.stop and report.findings):
                keep(growth.finding())
                Path(plan.report).write_bytes(msgspec.json.encode(report))
                os._exit(0)

        words = Path(f"{plan.report}.dict")
        # libFuzzer refuses an empty file.
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words or (b"0",)))
        options = {
            "max_len": target.longest,
            "timeout": C_HANG_SECONDS,
            "rss_limit_mb": MEMORY_MIB,
            "artifact_prefix": f"{plan.findings}/",
            "dict": words,
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup([sys.argv[0], *arguments, plan.found, *plan.corpora], one_input)
        atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
