"""Runners and their pages."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pageworker_supervisor.telemetry.metrics.bounded import Bounded
from pageworker_supervisor.telemetry.metrics.buckets import FAST

SPAWN = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8, 15, 30)


class RunnerMetrics:
    """Runners with their browsers, and the pool of pages."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runner_states: set[str] = set()
        self._page_states: set[str] = set()
        self.runners = Gauge("pageworker_runners", "Runners by state.", ("state",), registry=registry)
        self.pages = Gauge("pageworker_pages", "Pages by state.", ("state",), registry=registry)
        self.page_pool_size = Gauge(
            "pageworker_page_pool_size",
            "Pages that this worker may have: runners times pages per runner.",
            registry=registry,
        )
        self.page_wait_seconds = Histogram(
            "pageworker_page_wait_seconds",
            "Seconds from the reservation of a page until its runner is up and the page may be used.",
            buckets=FAST,
            registry=registry,
        )
        self.spawn_seconds = Histogram(
            "pageworker_runner_spawn_seconds",
            "Seconds from starting a runner until it is ready.",
            buckets=SPAWN,
            registry=registry,
        )
        self.spares_adopted = Counter(
            "pageworker_spares_adopted",
            "Spare runners that a browser context took in place of a start (`pool.spares`).",
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
            "Runners that are replaced though they work, by cause: unclean pages, left threads, jobs, age, memory.",
            ("cause",),
            registry=registry,
        )
        self.runner_restarts = Counter(
            "pageworker_runner_restarts",
            "Runners that ended by an error or a limit and that another runner has to replace, by reason.",
            ("reason",),
            registry=registry,
        )
        self.browser_exits = Counter(
            "pageworker_browser_exits",
            "Browsers that ended, by what exit code, signal and kernel tell.",
            ("reason",),
            registry=registry,
        )
        self.memory_bytes = Gauge(
            "pageworker_runner_memory_bytes",
            "Memory of the runner in this slot: proportional set size, tmpfs and memfds. No sample while it is free.",
            ("slot",),
            registry=registry,
        )
        self.memory_limit_bytes = Gauge(
            "pageworker_runner_memory_limit_bytes",
            "Memory that a runner may use: `sandbox.memory_bytes`.",
            registry=registry,
        )
        self.cpu_seconds = Counter(
            "pageworker_runner_cpu_seconds",
            "CPU time of the processes of all runners that were in this slot.",
            ("slot",),
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
        self.sandbox_rights = Gauge(
            "pageworker_sandbox_right",
            "1 for each right that the host gives to sandboxes, 0 for each that is missing.",
            ("right",),
            registry=registry,
        )
        self.memory_stall_seconds = Counter(
            "pageworker_sandbox_memory_stall_seconds",
            "Seconds in which sandboxed processes waited for memory: at least one (`some`), all of them (`full`).",
            ("kind",),
            registry=registry,
        )
        self._sandbox_rights = Bounded(self.sandbox_rights)
        self._memory_stall_seconds = Bounded(self.memory_stall_seconds)
        self._runners = Bounded(self.runners)
        self._pages = Bounded(self.pages)
        self._start_failures = Bounded(self.start_failures)
        self._runners_ended = Bounded(self.runners_ended)
        self._runner_retirements = Bounded(self.runner_retirements)
        self._runner_restarts = Bounded(self.runner_restarts)
        self._browser_exits = Bounded(self.browser_exits)
        self._memory_bytes = Bounded(self.memory_bytes)
        self._cpu_seconds = Bounded(self.cpu_seconds)
        self._limit_breaches = Bounded(self.limit_breaches)

    def states(self, runners: Mapping[str, int], pages: Mapping[str, int]) -> None:
        """Set the numbers of runners and pages by state. A state that is not named becomes 0."""
        for series, known, counts in (
            (self._runners, self._runner_states, runners),
            (self._pages, self._page_states, pages),
        ):
            known.update(counts)
            for state in known:
                series.of(state).set(counts.get(state, 0))

    def bounds(self, runners: int, pages_per_runner: int, memory_bytes: int) -> None:
        """Set what this worker may have, by its settings. `memory_bytes`: of one runner."""
        self.page_pool_size.set(runners * pages_per_runner)
        self.memory_limit_bytes.set(memory_bytes)

    def page_waited(self, seconds: float) -> None:
        """Observe the time from the reservation of a page until it may be used."""
        self.page_wait_seconds.observe(seconds)

    def measured(self, slot: int, memory_bytes: int, cpu_growth_seconds: float) -> None:
        """Set the memory of the runner in a slot, and add its CPU time since the last call."""
        name = str(slot)
        self._memory_bytes.of(name).set(memory_bytes)
        self._cpu_seconds.of(name).inc(cpu_growth_seconds)

    def slot_freed(self, slot: int) -> None:
        """The runner of a slot is gone: it uses no memory."""
        self._memory_bytes.drop(str(slot))

    def browser_exited(self, reason: str) -> None:
        """Count a browser that has ended. `reason` is a BrowserExit."""
        self._browser_exits.of(reason).inc()

    def restarted(self, reason: str) -> None:
        """Count a runner that has to be replaced. `reason` is a RestartReason."""
        self._runner_restarts.of(reason).inc()

    def spawned(self, seconds: float) -> None:
        """Observe how long a runner took to start."""
        self.spawn_seconds.observe(seconds)

    def adopted(self) -> None:
        """Count a spare runner that a context has adopted."""
        self.spares_adopted.inc()

    def start_failed(self, blame: str) -> None:
        """Count a runner that did not start. `blame` says who caused it, e.g. `context` or `host`."""
        self._start_failures.of(blame).inc()

    def ended(self, reason: str) -> None:
        """Count a runner that has ended: `retired`, `killed`, `crashed`, `not_started`."""
        self._runners_ended.of(reason).inc()

    def retirement_asked(self, cause: str) -> None:
        """Count a runner that is replaced. `cause` is a RetireCause of the wire, or a Wear."""
        self._runner_retirements.of(cause).inc()

    def contexts_broken(self, count: int) -> None:
        """Set the number of contexts with an open circuit breaker."""
        self.broken_contexts.set(count)

    def limit_breached(self, limit: str) -> None:
        """Count an exceeded limit: `memory_limit`, `process_limit`, `disk_limit`, `output_limit`,
        `result_too_large`."""
        self._limit_breaches.of(limit).inc()

    def rights(self, there: Mapping[str, bool]) -> None:
        """Set which rights the host gives to sandboxes."""
        for name, given in there.items():
            self._sandbox_rights.of(name).set(given)

    def memory_stalled(self, kind: str, growth_seconds: float) -> None:
        """Add to the seconds in which sandboxes waited for memory. `kind`: `some` or `full`."""
        self._memory_stall_seconds.of(kind).inc(growth_seconds)
