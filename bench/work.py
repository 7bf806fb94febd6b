"""The work of every contender of the queue: parse a job of 1 KB, store a result of 200 bytes.

It uses the standard library only, since peers import it in their own environment.
"""

import os
from typing import Any

REDIS_VARIABLE = "BENCH_REDIS_URL"
REDIS_URL = os.environ.get(REDIS_VARIABLE, "redis://127.0.0.1:6379/0")
"""The Redis of a contender's program. An environment variable, since peers have command lines of their own."""
RESULT_SECONDS = 3600
"""Time to live of a result."""

PAYLOAD = {"url": "http://example.test/item", "fill": "x" * 950}
RESULT = {"ok": True, "body": "y" * 175}


def handled(payload: dict[str, Any]) -> dict[str, Any]:
    """The handler. It does almost nothing, so that the queue is what is measured."""
    return RESULT if payload["url"] else {}
