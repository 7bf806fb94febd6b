"""The real dialer program without some of its rules. It runs in the dialer's sandbox instead of the dialer."""

import json
import sys
from pathlib import Path
from typing import Any

from pageworker_sandbox.dialer import __main__ as program
from pageworker_sandbox.dialer import targets
from pageworker_sandbox.egress.address import is_public, unmap

# Any: a class that is a variable here cannot be a base for mypy.
Real: Any = targets.TargetRules


def weaken(without: set[str]) -> None:
    """Leave these rules out."""

    def refusal(self: Any, address: Any, port: int, *, local: bool) -> str | None:
        place = (unmap(address), port)
        if local and port in self.barred and "dialer: the worker's ports" not in without:
            return "private_address"
        if place in self.fixed or self._is_proxy(*place):
            return None
        if local and "dialer: own address" not in without:
            return "private_address"
        if not is_public(address) and "dialer: address" not in without:
            return "private_address"
        return None if port in self.ports or "dialer: port" in without else "port_not_allowed"

    Real.refusal = refusal
    if "dialer: Landlock ports" in without:
        program.restrict = lambda rules: True


if __name__ == "__main__":
    weaken(set(json.loads(Path(__file__).with_name("pw_without.json").read_text())))
    sys.exit(program.main())
