"""Writes the Prometheus rules from their template: `python deploy/prometheus/render_rules.py > FILE`.

`--divide 60` divides every duration by 60, so that a test sees in a minute what takes an hour in operation.
"""

import argparse
import re
import sys
from pathlib import Path

TEMPLATE = Path(__file__).with_name("pageworker.rules.template.yml")
HEADER = "# Generated from pageworker.rules.template.yml by render_rules.py. Change the template.\n"
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
SECONDS = re.compile(r"<<(\d+)([smhd])>>")
DURATION = re.compile(r"<(\d+)([smhd])>")


def render(template: str, divisor: float = 1.0) -> str:
    """The rules with every duration divided by `divisor`. Durations of less than a millisecond become one."""

    def seconds(match: re.Match[str]) -> str:
        return f"{int(match[1]) * UNITS[match[2]] / divisor:g}"

    def duration(match: re.Match[str]) -> str:
        if divisor == 1:
            return match[1] + match[2]
        milliseconds = max(1, round(1000 * int(match[1]) * UNITS[match[2]] / divisor))
        return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"

    body = template[template.index("\ngroups:") :]
    return HEADER + DURATION.sub(duration, SECONDS.sub(seconds, body))


def main() -> None:
    """Write the rules to stdout."""
    parser = argparse.ArgumentParser(description="Write the Prometheus rules of pageworker to stdout.")
    parser.add_argument("--divide", type=float, default=1.0, metavar="N", help="divide every duration by N")
    arguments = parser.parse_args()
    sys.stdout.write(render(TEMPLATE.read_text(), arguments.divide))


if __name__ == "__main__":
    main()
