"""Every metric, named once. Prefix `pageworker_`; times in seconds; sizes in bytes."""

import platform
from collections.abc import Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pageworker_supervisor.contract.result import Status

OTHER = "other"
MAX_LABELS = 200
"""Values of one label that a sender of jobs could otherwise multiply at will."""

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
RUN = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900)
SPAWN = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8, 15, 30)
LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Names:
    """One label: the values known beforehand, then the first that come up to `limit`; the rest is `other`."""

    def __init__(self, known: Collection[str], *, limit: int = MAX_LABELS) -> None:
        self._seen = set(sorted(known)[:limit])
        self._limit = limit

    def of(self, name: str, *, learn: bool = True) -> str:
        """The label's value for this name. `learn=False`: a name that is not yet known stays unknown."""
        if name in self._seen:
            return name
        if learn and len(self._seen) < self._limit:
            self._seen.add(name)
            return name
        return OTHER


class Metrics:
    """One worker's metrics, in a registry of their own. `tenants`: who gets a label value of their own."""

    def __init__(self, tenants: Collection[str] = (), *, version: str = "", worker_id: str = "") -> None:
        self.registry = registry = CollectorRegistry()
        self._tenants = Names([name for name in tenants if not set(name) & set("*?[")])
        self._modules = Names(())
        self._runner_states: set[str] = set()
        self._page_states: set[str] = set()
        self.jobs = Counter("pageworker_jobs", "Jobs ended.", ("status", "module", "tenant"), registry=registry)
        self.queue_seconds = Histogram(
            "pageworker_job_queue_seconds", "Waited in Redis.", ("tenant",), buckets=FAST, registry=registry
        )
        self.admit_seconds = Histogram(
            "pageworker_job_admit_seconds", "From claim to handler start.", buckets=FAST, registry=registry
        )
        self.run_seconds = Histogram(
            "pageworker_job_run_seconds", "In the handler.", ("module",), buckets=RUN, registry=registry
        )
        self.retries = Counter(
            "pageworker_job_retries", "Attempts that will be repeated.", ("module",), registry=registry
        )
        self.defers = Counter(
            "pageworker_job_defers", "Jobs put back without using an attempt.", ("reason",), registry=registry
        )
        self.leases_lost = Counter(
            "pageworker_leases_lost", "Leases that went to another worker.", ("tenant",), registry=registry
        )
        self.rejections = Counter(
            "pageworker_intake_rejections", "Texts that were no valid job.", ("reason",), registry=registry
        )
        self.pages = Gauge("pageworker_pages", "Pages by state.", ("state",), registry=registry)
        self.runners = Gauge("pageworker_runners", "Runners by state.", ("state",), registry=registry)
        self.spawn_seconds = Histogram(
            "pageworker_runner_spawn_seconds", "From exec to ready.", buckets=SPAWN, registry=registry
        )
        self.runners_ended = Counter(
            "pageworker_runners_ended", "Runners that are gone.", ("reason",), registry=registry
        )
        self.start_failures = Counter(
            "pageworker_runner_start_failures",
            "Runners that did not come up, by whose fault that is.",
            ("blame",),
            registry=registry,
        )
        self.broken_contexts = Gauge(
            "pageworker_broken_contexts", "Browser contexts that do not come up, time and again.", registry=registry
        )
        self.limit_breaches = Counter(
            "pageworker_limit_breaches",
            "Limits of a runner or an attempt that were breached.",
            ("limit",),
            registry=registry,
        )
        self.callbacks = Counter(
            "pageworker_callbacks", "Tries to deliver a callback.", ("outcome",), registry=registry
        )
        self.callback_seconds = Histogram(
            "pageworker_callback_seconds",
            "One try, to the receiver's status.",
            buckets=FAST,
            registry=registry,
        )
        self.outbox_depth = Gauge("pageworker_outbox_depth", "Callbacks not yet settled.", registry=registry)
        self.artifacts = Counter("pageworker_artifacts", "Artifacts by fate.", ("outcome",), registry=registry)
        self.artifact_bytes = Counter("pageworker_artifact_bytes", "Bytes of artifacts stored.", registry=registry)
        self.egress_bytes = Counter(
            "pageworker_egress_bytes",
            "Bytes through the gateway.",
            ("direction", "tenant"),
            registry=registry,
        )
        self.egress_refusals = Counter(
            "pageworker_egress_refusals",
            "Requests refused by policy.",
            ("reason", "tenant"),
            registry=registry,
        )
        self.registry_serial = Gauge(
            "pageworker_registry_serial",
            "Highest serial of the module index that the fleet has seen.",
            registry=registry,
        )
        self.index_refusals = Counter(
            "pageworker_index_refusals", "Module indexes refused, by the error's type.", ("reason",), registry=registry
        )
        self.redis_reconnects = Counter("pageworker_redis_reconnects", "Times that Redis came back.", registry=registry)
        self.redis_up = Gauge("pageworker_redis_up", "1 while Redis answers.", registry=registry)
        self.ready = Gauge("pageworker_ready", "1 while this worker takes jobs.", registry=registry)
        self.loop_lag_seconds = Histogram(
            "pageworker_loop_lag_seconds", "How late the event loop is.", buckets=LAG, registry=registry
        )
        self.connections_dropped = Counter(
            "pageworker_http_connections_dropped",
            "Connections to http.bind that were cut: too many, or too slow.",
            ("reason",),
            registry=registry,
        )
        self.build = Gauge("pageworker_build_info", "Always 1.", ("version", "python", "worker"), registry=registry)
        self.build.labels(version, platform.python_version(), worker_id).set(1)

    def finished(self, module: str, tenant_id: str, status: Status, queued: float, ran: float) -> None:
        """A job has its result. A rejected job's module may be anything that its sender wrote."""
        name = self._modules.of(module, learn=status != "rejected")
        tenant = self._tenants.of(tenant_id, learn=False)
        self.jobs.labels(status, name, tenant).inc()
        self.queue_seconds.labels(tenant).observe(queued)
        if ran:
            self.run_seconds.labels(name).observe(ran)

    def admitted(self, seconds: float) -> None:
        """From claim to the handler's start."""
        self.admit_seconds.observe(seconds)

    def lost(self, tenant_id: str) -> None:
        """A lease went to another worker."""
        self.leases_lost.labels(self._tenants.of(tenant_id, learn=False)).inc()

    def retried(self, module: str) -> None:
        """An attempt will be repeated."""
        self.retries.labels(self._modules.of(module)).inc()

    def deferred(self, reason: str) -> None:
        """A job went back without using an attempt. `reason` is a word of ours, not a sentence."""
        self.defers.labels(reason).inc()

    def rejected(self, reason: str) -> None:
        """A text at the intake was no valid job. `reason` is a ContractError's type."""
        self.rejections.labels(reason).inc()

    def spawned(self, seconds: float) -> None:
        """A runner came up."""
        self.spawn_seconds.observe(seconds)

    def ended(self, reason: str) -> None:
        """A runner is gone: `retired`, `killed`, `crashed`, `not_started`."""
        self.runners_ended.labels(reason).inc()

    def start_failed(self, blame: str) -> None:
        """A runner did not come up: `context`, `host`, `nobody`."""
        self.start_failures.labels(blame).inc()

    def contexts_broken(self, count: int) -> None:
        """So many contexts have an open circuit breaker."""
        self.broken_contexts.set(count)

    def limit_breached(self, limit: str) -> None:
        """`memory_limit`, `process_limit`, `disk_limit`, `output_limit`, `result_too_large`."""
        self.limit_breaches.labels(limit).inc()

    def states(self, runners: Mapping[str, int], pages: Mapping[str, int]) -> None:
        """How many runners and pages are in each state now; a state that is not named has none."""
        for gauge, known, counts in (
            (self.runners, self._runner_states, runners),
            (self.pages, self._page_states, pages),
        ):
            known.update(counts)
            for state in known:
                gauge.labels(state).set(counts.get(state, 0))

    def callback(self, outcome: str, seconds: float) -> None:
        """One try of a callback: `delivered`, `later`, `final`."""
        self.callbacks.labels(outcome).inc()
        self.callback_seconds.observe(seconds)

    def stored(self, size_bytes: int) -> None:
        """An artifact is stored."""
        self.artifacts.labels("stored").inc()
        self.artifact_bytes.inc(size_bytes)

    def not_stored(self, reason: str) -> None:
        """An artifact is lost; `reason` is the ArtifactError's `type`."""
        self.artifacts.labels(reason).inc()

    def egress(self, tenant_id: str, sent: int, received: int) -> None:
        """Bytes since the last call."""
        tenant = self._tenants.of(tenant_id, learn=False)
        self.egress_bytes.labels("sent", tenant).inc(sent)
        self.egress_bytes.labels("received", tenant).inc(received)

    def egress_refused(self, tenant_id: str, reason: str, count: int = 1) -> None:
        """The gateway refused requests."""
        self.egress_refusals.labels(reason, self._tenants.of(tenant_id, learn=False)).inc(count)

    def connection_dropped(self, reason: str) -> None:
        """`http.bind` cut a connection: `crowded`, `head_timeout`, `answer_timeout`, `stopping`."""
        self.connections_dropped.labels(reason).inc()

    def totals(self) -> dict[str, float]:
        """Every counter by its name without the prefix, over all labels: `jobs`, `job_retries`, …"""
        counted = (metric for metric in vars(self).values() if isinstance(metric, Counter))
        families = (family for metric in counted for family in metric.collect())
        return {
            family.name.removeprefix("pageworker_"): sum(
                sample.value for sample in family.samples if sample.name.endswith("_total")
            )
            for family in families
        }

    def index_refused(self, reason: str) -> None:
        """The registry has an index that is not taken; `reason` is a ModuleError's `type`."""
        self.index_refusals.labels(reason).inc()

    def expose(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)
