"""Imports redis-py without OpenTelemetry. Import this file before anything that imports redis-py.

redis-py imports the whole SDK of OpenTelemetry where that is installed, for metrics of its own that are off. That costs
50 ms of processor time and 3.5 MiB in every process. Source: redis/observability/providers.py, which goes without on
ImportError.
"""

from pageworker_supervisor.hidden_module import hidden

with hidden("opentelemetry"):
    import redis.asyncio  # noqa: F401 - for its effect
