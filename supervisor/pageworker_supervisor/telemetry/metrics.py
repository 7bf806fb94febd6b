"""All metrics. Names start with `pageworker_`. Times are in seconds, sizes in bytes."""

import platform
from collections.abc import Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pageworker_sandbox.wire.messages import BlockedKind
from pageworker_supervisor.contract.result import Status
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.telemetry.label_values import LabelValues

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
RUN = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900)
SPAWN = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8, 15, 30)
LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """Metrics of one worker, in their own registry. `tenants` are the tenants with their own label value."""

    def __init__(self, tenants: Collection[str] = (), *, version: str = "", worker_id: str = "") -> None:
        self.registry = registry = CollectorRegistry()
        self._tenants = LabelValues(_names(tenants))
        self._modules = LabelValues(())
        self._runner_states: set[str] = set()
        self._page_states: set[str] = set()
        self._upstreams: set[tuple[str, str]] = set()
        self.jobs = Counter(
            "pageworker_jobs", "Jobs that have ended, by status.", ("status", "module", "tenant"), registry=registry
        )
        self.queue_seconds = Histogram(
            "pageworker_job_queue_seconds",
            "Seconds that jobs waited in Redis.",
            ("tenant",),
            buckets=FAST,
            registry=registry,
        )
        self.admit_seconds = Histogram(
            "pageworker_job_admit_seconds",
            "Seconds from claim to start of the handler.",
            buckets=FAST,
            registry=registry,
        )
        self.run_seconds = Histogram(
            "pageworker_job_run_seconds", "Seconds in the handler.", ("module",), buckets=RUN, registry=registry
        )
        self.retries = Counter(
            "pageworker_job_retries", "Attempts that are followed by another one.", ("module",), registry=registry
        )
        self.defers = Counter(
            "pageworker_job_defers",
            "Jobs put back into the queue without using up an attempt.",
            ("reason",),
            registry=registry,
        )
        self.leases_lost = Counter(
            "pageworker_leases_lost",
            "Leases of this worker that expired or went to another worker.",
            ("tenant",),
            registry=registry,
        )
        self.rejections = Counter(
            "pageworker_intake_rejections",
            "Pushed texts that were not a valid job, by error type.",
            ("reason",),
            registry=registry,
        )
        self.pages = Gauge("pageworker_pages", "Pages by state.", ("state",), registry=registry)
        self.runners = Gauge("pageworker_runners", "Runners by state.", ("state",), registry=registry)
        self.spawn_seconds = Histogram(
            "pageworker_runner_spawn_seconds",
            "Seconds from starting a runner until it is ready.",
            buckets=SPAWN,
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
        self.start_failures = Counter(
            "pageworker_runner_start_failures",
            "Runners that did not start, by cause.",
            ("blame",),
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
        self.callbacks = Counter(
            "pageworker_callbacks", "Tries to deliver a callback, by outcome.", ("outcome",), registry=registry
        )
        self.callback_seconds = Histogram(
            "pageworker_callback_seconds",
            "Seconds per try, from the connection to the status of the response.",
            buckets=FAST,
            registry=registry,
        )
        self.secret_requests = Counter(
            "pageworker_secret_requests",
            "Secrets that modules asked for, by outcome.",
            ("outcome", "tenant"),
            registry=registry,
        )
        self.outbox_depth = Gauge(
            "pageworker_outbox_depth",
            "Callbacks in the outbox of the whole queue: take the maximum of all workers, not the sum.",
            registry=registry,
        )
        self.artifacts = Counter(
            "pageworker_artifacts", "Artifacts that were stored or lost, by outcome.", ("outcome",), registry=registry
        )
        self.artifact_bytes = Counter("pageworker_artifact_bytes", "Bytes of stored artifacts.", registry=registry)
        self.egress_requests = Counter(
            "pageworker_egress_requests",
            "Requests and tunnels that runners asked the egress gateway for, refused ones included.",
            ("tenant",),
            registry=registry,
        )
        self.egress_bytes = Counter(
            "pageworker_egress_bytes",
            "Bytes between the egress gateway and the hosts.",
            ("direction", "tenant"),
            registry=registry,
        )
        self.egress_refusals = Counter(
            "pageworker_egress_refusals",
            "Requests that the egress policy refused.",
            ("reason", "tenant"),
            registry=registry,
        )
        self.requests_blocked = Counter(
            "pageworker_requests_blocked",
            "Requests that browsers did not send because of `block` or `block_hosts`, by type, or `host`.",
            ("tenant", "type"),
            registry=registry,
        )
        self.upstream_up = Gauge(
            "pageworker_proxy_upstream_up",
            "1 while an upstream proxy works, 0 while the egress gateway leaves it out.",
            ("policy", "upstream"),
            registry=registry,
        )
        self.upstream_failures = Counter(
            "pageworker_proxy_upstream_failures",
            "Times that an upstream proxy stopped working, by reason.",
            ("policy", "upstream", "reason"),
            registry=registry,
        )
        self.config_version = Gauge(
            "pageworker_config_version",
            "Version of the central configuration that this worker runs.",
            registry=registry,
        )
        self.config_invalid = Gauge(
            "pageworker_config_invalid",
            "1 while the central configuration is invalid on this worker, which runs an older version.",
            registry=registry,
        )
        self.config_votes = Counter(
            "pageworker_config_votes",
            "Changes of the central configuration that this worker checked, by its vote.",
            ("vote",),
            registry=registry,
        )
        self.config_source_up = Gauge(
            "pageworker_config_source_up",
            "1 while the Parameter Store that holds the central configuration can be read, and without one.",
            registry=registry,
        )
        self.config_source_up.set(1)
        self.registry_serial = Gauge(
            "pageworker_registry_serial",
            "Highest serial of the module index that any worker has accepted.",
            registry=registry,
        )
        self.index_refusals = Counter(
            "pageworker_index_refusals",
            "Module indexes that the worker refused, by error type.",
            ("reason",),
            registry=registry,
        )
        self.redis_reconnects = Counter(
            "pageworker_redis_reconnects", "Times that the connection to Redis came back.", registry=registry
        )
        self.redis_up = Gauge("pageworker_redis_up", "1 while Redis answers.", registry=registry)
        self.ready = Gauge("pageworker_ready", "1 while this worker takes jobs.", registry=registry)
        self.loop_lag_seconds = Histogram(
            "pageworker_loop_lag_seconds", "Seconds by which the event loop is late.", buckets=LAG, registry=registry
        )
        self.connections_dropped = Counter(
            "pageworker_http_connections_dropped",
            "Connections to http.bind that the worker closed because they were too many or too slow.",
            ("reason",),
            registry=registry,
        )
        self.self_checks = Gauge(
            "pageworker_self_check_failed",
            "1 while this self-check fails, 0 while it passes or is not known.",
            ("check",),
            registry=registry,
        )
        self.clock_jumps = Counter(
            "pageworker_clock_jumps", "Jumps of the clock of this host or of Redis.", ("clock",), registry=registry
        )
        self.build = Gauge(
            "pageworker_build_info",
            "Always 1. The labels are versions and the worker.",
            ("version", "python", "worker"),
            registry=registry,
        )
        self.build.labels(version, platform.python_version(), worker_id).set(1)

    def know_tenants(self, tenants: Collection[str]) -> None:
        """Give these tenants a label value of their own, as far as there is space. Those that had one keep it."""
        self._tenants.know(_names(tenants))

    def finished(self, module: str, tenant_id: str, status: Status, queued: float, ran: float) -> None:
        """Count a job that has its result. The module name of a rejected job is not verified, so it gets no label
        value."""
        name = self._modules.of(module, learn=status != "rejected")
        tenant = self._tenants.of(tenant_id, learn=False)
        self.jobs.labels(status, name, tenant).inc()
        self.queue_seconds.labels(tenant).observe(queued)
        if ran:
            self.run_seconds.labels(name).observe(ran)

    def admitted(self, seconds: float) -> None:
        """Observe the time from claim to start of the handler."""
        self.admit_seconds.observe(seconds)

    def lost(self, tenant_id: str) -> None:
        """Count a lease that this worker has lost."""
        self.leases_lost.labels(self._tenants.of(tenant_id, learn=False)).inc()

    def retried(self, module: str) -> None:
        """Count an attempt that is followed by another one."""
        self.retries.labels(self._modules.of(module)).inc()

    def deferred(self, reason: str) -> None:
        """Count a job that went back without using up an attempt. `reason` is a short identifier, not a sentence."""
        self.defers.labels(reason).inc()

    def rejected(self, reason: str) -> None:
        """Count a text that is not a valid job. `reason` is the `type` of a ContractError."""
        self.rejections.labels(reason).inc()

    def spawned(self, seconds: float) -> None:
        """Observe how long a runner took to start."""
        self.spawn_seconds.observe(seconds)

    def ended(self, reason: str) -> None:
        """Count a runner that has ended: `retired`, `killed`, `crashed`, `not_started`."""
        self.runners_ended.labels(reason).inc()

    def retirement_asked(self, cause: str) -> None:
        """Count a runner that asks to be replaced. `cause` is a RetireCause of the wire."""
        self.runner_retirements.labels(cause).inc()

    def start_failed(self, blame: str) -> None:
        """Count a runner that did not start. `blame` says who caused it, e.g. `context` or `host`."""
        self.start_failures.labels(blame).inc()

    def contexts_broken(self, count: int) -> None:
        """Set the number of contexts with an open circuit breaker."""
        self.broken_contexts.set(count)

    def limit_breached(self, limit: str) -> None:
        """Count an exceeded limit: `memory_limit`, `process_limit`, `disk_limit`, `output_limit`,
        `result_too_large`."""
        self.limit_breaches.labels(limit).inc()

    def states(self, runners: Mapping[str, int], pages: Mapping[str, int]) -> None:
        """Set the numbers of runners and pages by state. A state that is not named becomes 0."""
        for gauge, known, counts in (
            (self.runners, self._runner_states, runners),
            (self.pages, self._page_states, pages),
        ):
            known.update(counts)
            for state in known:
                gauge.labels(state).set(counts.get(state, 0))

    def callback(self, outcome: str, seconds: float) -> None:
        """Count one try of a callback: `delivered`, `later` or `final`."""
        self.callbacks.labels(outcome).inc()
        self.callback_seconds.observe(seconds)

    def secret_requested(self, outcome: str, tenant_id: str) -> None:
        """Count a secret that a module asked for: `granted`, `denied`, `missing` or `unavailable`."""
        self.secret_requests.labels(outcome, self._tenants.of(tenant_id, learn=False)).inc()

    def stored(self, size_bytes: int) -> None:
        """Count an artifact that was stored."""
        self.artifacts.labels("stored").inc()
        self.artifact_bytes.inc(size_bytes)

    def not_stored(self, reason: str) -> None:
        """Count an artifact that was lost. `reason` is the `type` of the ArtifactError."""
        self.artifacts.labels(reason).inc()

    def egress(self, tenant_id: str, growth: Traffic) -> None:
        """Add what the egress gateway has counted since the last call."""
        tenant = self._tenants.of(tenant_id, learn=False)
        self.egress_requests.labels(tenant).inc(growth.requests)
        self.egress_bytes.labels("sent", tenant).inc(growth.bytes_out)
        self.egress_bytes.labels("received", tenant).inc(growth.bytes_in)

    def egress_refused(self, tenant_id: str, reason: str, count: int = 1) -> None:
        """Count requests that the egress gateway refused."""
        self.egress_refusals.labels(reason, self._tenants.of(tenant_id, learn=False)).inc(count)

    def count_blocked(self, tenant_id: str, requests: Mapping[BlockedKind, int]) -> None:
        """Count requests that a browser did not send."""
        for kind, count in requests.items():
            self.requests_blocked.labels(self._tenants.of(tenant_id, learn=False), kind).inc(count)

    def upstreams(self, up: Mapping[tuple[str, str], bool]) -> None:
        """Set which upstream proxies work, by policy and `host:port`. Those that are not named are removed."""
        for gone in self._upstreams - up.keys():
            self.upstream_up.remove(*gone)
        self._upstreams = set(up)
        for (policy, upstream), works in up.items():
            self.upstream_up.labels(policy, upstream).set(int(works))

    def upstream_failed(self, policy: str, upstream: str, reason: str) -> None:
        """Count an upstream proxy that stopped working."""
        self.upstream_failures.labels(policy, upstream, reason).inc()

    def config_vote(self, vote: str) -> None:
        """Count a vote on a change of the central configuration: `accepted` or `refused`."""
        self.config_votes.labels(vote).inc()

    def connection_dropped(self, reason: str) -> None:
        """Count a connection that `http.bind` closed: `crowded`, `head_timeout`, `answer_timeout`, `stopping`."""
        self.connections_dropped.labels(reason).inc()

    def self_check(self, name: str, *, failed: bool) -> None:
        """Set whether the self-check of this name fails."""
        self.self_checks.labels(name).set(int(failed))

    def clock_jumped(self, clock: str) -> None:
        """Count a jump of the clock of this host (`worker`) or of Redis (`redis`)."""
        self.clock_jumps.labels(clock).inc()

    def totals(self) -> dict[str, float]:
        """Totals of all counters over all labels, by name without prefix: `jobs`, `job_retries`, …"""
        counted = (metric for metric in vars(self).values() if isinstance(metric, Counter))
        families = (family for metric in counted for family in metric.collect())
        return {
            family.name.removeprefix("pageworker_"): sum(
                sample.value for sample in family.samples if sample.name.endswith("_total")
            )
            for family in families
        }

    def index_refused(self, reason: str) -> None:
        """Count a module index that was refused. `reason` is the `type` of the ModuleError."""
        self.index_refusals.labels(reason).inc()

    def expose(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


def _names(tenants: Collection[str]) -> list[str]:
    """Those that are no globs."""
    return [name for name in tenants if not set(name) & set("*?[")]
