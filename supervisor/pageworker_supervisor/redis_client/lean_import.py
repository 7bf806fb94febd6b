"""Imports redis-py without OpenTelemetry. Import this file before anything that imports redis-py.

redis-py imports the whole SDK of OpenTelemetry where that is installed, for metrics of its own that are off. That costs
50 ms of processor time and 3.5 MiB in every process. Source: redis/observability/providers.py, which goes without on
ImportError.
"""

import sys

HIDDEN = "opentelemetry"

if HIDDEN not in sys.modules:
    # None makes an import of the name fail. Source: Python's documentation, "The import system", 5.3.1.
    sys.modules[HIDDEN] = None  # type: ignore[assignment]  # typeshed knows modules only
    try:
        import redis.asyncio  # noqa: F401 - for its effect
    finally:
        del sys.modules[HIDDEN]
