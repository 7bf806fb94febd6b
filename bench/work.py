"""What every contender of the queue does: parse a job of 1 KB, answer with 200 bytes that are kept.

Standard library only: peers import it in an environment of their own.
"""

import os
from typing import Any

REDIS_VARIABLE = "BENCH_REDIS_URL"
REDIS_URL = os.environ.get(REDIS_VARIABLE, "redis://127.0.0.1:6379/0")
"""Where a contender's program finds its queue. A variable, as the peers' own command lines import what they run."""
RESULT_SECONDS = 3600
"""How long a result is kept."""

PAYLOAD = {"url": "http://example.test/item", "fill": "x" * 950}
RESULT = {"ok": True, "body": "y" * 175}


def handled(payload: dict[str, Any]) -> dict[str, Any]:
    """The handler: as little as can be, so that what is measured is the queue."""
    return RESULT if payload["url"] else {}
