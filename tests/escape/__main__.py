"""`make escape`: all attacks and their controls. The last line is JSON.

Exit code 0: every attack was refused, and every control succeeded.
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pw_escape.attack import StartedBy

HERE = Path(__file__).parent


@dataclass
class Tally:
    """A pytest plugin that counts attacks and controls. `as_root` and `as_user` count an attack once per way of
    starting the worker; the other numbers count it once."""

    refused: set[tuple[str, str]] = field(default_factory=set)
    through: set[tuple[str, str]] = field(default_factory=set)
    controls: set[str] = field(default_factory=set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count an attack or control whose test has ended."""
        if report.when != "call" or report.outcome == "skipped":
            return
        for kind, value in report.user_properties:
            if kind not in ("refused", "control") or not isinstance(value, list):
                continue
            name, mode = value
            if kind == "control" and report.passed:
                self.controls.add(name)
            elif kind == "refused":
                (self.refused if report.passed else self.through).add((name, mode))

    def line(self) -> dict[str, object]:
        """The last line of `make escape`."""
        run = self.refused | self.through
        return {
            "suite": "escape",
            "attacks": len({name for name, _ in run}),
            "through": len({name for name, _ in self.through}),
            "controls": len(self.controls),
            "as_root": sum(mode == StartedBy.ROOT.value for _, mode in run),
            "as_user": sum(mode == StartedBy.USER.value for _, mode in run),
        }


def main() -> int:
    """Returns pytest's exit code."""
    tally = Tally()
    code = int(pytest.main([str(HERE), *sys.argv[1:]], plugins=[tally]))
    sys.stdout.write(json.dumps(tally.line()) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
