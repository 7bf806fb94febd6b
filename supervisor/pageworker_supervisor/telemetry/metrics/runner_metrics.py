"""Runners and their pages."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SPAWN = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8, 15, 30)


class RunnerMetrics:
    """Runners and their pages."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runner_states: set[str] = set()
        self._page_states: set[str] = set()
        self.runners = Gauge("pageworker_runners", "Runners by state.", ("state",), registry=registry)
        self.pages = Gauge("pageworker_pages", "Pages by state.", ("state",), registry=registry)
        self.spawn_seconds = Histogram(
            "pageworker_runner_spawn_seconds",
            "Seconds from starting a runner until it is ready.",
            buckets=SPAWN,
            registry=registry,
        )
        self.start_failures = Counter(
            "pageworker_runner_start_failures",
            "Runners that did not start, by cause.",
            ("blame",),
            registry=registry,
        )
        self.runners_ended = Counter(
            "pageworker_runners_ended", "Runners that have ended.", ("reason",), registry=registry
        )
        self.runner_retirements = Counter(
            "pageworker_runner_retirements",
            "Runners that asked to be replaced, by cause: pages that could not be cleaned, threads that a module left.",
            ("cause",),
            registry=registry,
        )
        self.broken_contexts = Gauge(
            "pageworker_broken_contexts",
            "Browser contexts whose runners fail to start repeatedly (open circuit breaker).",
            registry=registry,
        )
        self.limit_breaches = Counter(
            "pageworker_limit_breaches",
            "Attempts and runners that exceeded a limit.",
            ("limit",),
            registry=registry,
        )

    def states(self, runners: Mapping[str, int], pages: Mapping[str, int]) -> None:
        """Set the numbers of runners and pages by state. A state that is not named becomes 0."""
        for gauge, known, counts in (
            (self.runners, self._runner_states, runners),
            (self.pages, self._page_states, pages),
        ):
            known.update(counts)
            for state in known:
                gauge.labels(state).set(counts.get(state, 0))

    def spawned(self, seconds: float) -> None:
        """Observe how long a runner took to start."""
        self.spawn_seconds.observe(seconds)

    def start_failed(self, blame: str) -> None:
        """Count a runner that did not start. `blame` says who caused it, e.g. `context` or `host`."""
        self.start_failures.labels(blame).inc()

    def ended(self, reason: str) -> None:
        """Count a runner that has ended: `retired`, `killed`, `crashed`, `not_started`."""
        self.runners_ended.labels(reason).inc()

    def retirement_asked(self, cause: str) -> None:
        """Count a runner that asks to be replaced. `cause` is a RetireCause of the wire."""
        self.runner_retirements.labels(cause).inc()

    def contexts_broken(self, count: int) -> None:
        """Set the number of contexts with an open circuit breaker."""
        self.broken_contexts.set(count)

    def limit_breached(self, limit: str) -> None:
        """Count an exceeded limit: `memory_limit`, `process_limit`, `disk_limit`, `output_limit`,
        `result_too_large`."""
        self.limit_breaches.labels(limit).inc()
