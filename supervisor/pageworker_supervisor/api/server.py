"""The API as one process serves it: listener, connection to Redis, settings of the fleet."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pageworker_supervisor.access.token_reader import TokenReader
from pageworker_supervisor.admin.bounded_protocol import BoundedProtocol, ConnectionBounds
from pageworker_supervisor.admin.connection_limits import ConnectionLimits, ConnectionTable
from pageworker_supervisor.admin.server import bind_tcp, connection_table, embedded_server, not_counted, serve_on
from pageworker_supervisor.api.app import api_app, starting_app
from pageworker_supervisor.api.artifact_downloads import ArtifactDownloads
from pageworker_supervisor.api.artifact_endpoint import ArtifactEndpoint
from pageworker_supervisor.api.artifact_link_endpoint import ArtifactLinkEndpoint
from pageworker_supervisor.api.batch_endpoints import BatchEndpoints
from pageworker_supervisor.api.config_watch import ConfigWatch
from pageworker_supervisor.api.event_endpoint import EventEndpoint
from pageworker_supervisor.api.file_endpoint import FileEndpoint
from pageworker_supervisor.api.gate import RequestGate
from pageworker_supervisor.api.grant import GrantReader
from pageworker_supervisor.api.job_endpoints import JobEndpoints
from pageworker_supervisor.api.limit_endpoint import LimitEndpoint
from pageworker_supervisor.api.link_secrets import open_links
from pageworker_supervisor.api.metrics_endpoint import metrics_app
from pageworker_supervisor.api.module_endpoint import ModuleEndpoint
from pageworker_supervisor.api.protocol import ApiProtocol, framing_problem
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.api.request_body import RequestBodies
from pageworker_supervisor.api.request_log import RequestLog
from pageworker_supervisor.api.result_waits import ResultWaits
from pageworker_supervisor.api.status_page.pages import StatusPages
from pageworker_supervisor.api.status_page.site import StatusSite, starting_routes
from pageworker_supervisor.api.status_page.visitors import VisitorRules, Visitors
from pageworker_supervisor.api.subscription_endpoints import SubscriptionEndpoints
from pageworker_supervisor.api.usage_endpoint import UsageEndpoint
from pageworker_supervisor.api.whoami_endpoint import WHOAMI
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.audit.decision_recorder import DecisionRecorder
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.load import LocalLayers
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.files.store import FileStore
from pageworker_supervisor.files.sweep import run_sweeps
from pageworker_supervisor.intake import Admission
from pageworker_supervisor.intake.submission import JobSubmission
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions, queue_options
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.channels import ChannelListener
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.trust_follower import TrustFollower
from pageworker_supervisor.rollouts.follower import RolloutFollower
from pageworker_supervisor.rollouts.worker_rules import WorkerRules
from pageworker_supervisor.task_supervision import run_forever
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.api_metrics import ApiMetrics

HEAD_SECONDS = 10.0
"""From the first byte of a request to the end of its head."""
IDLE_SECONDS = 75.0
"""An idle connection stays open for this time. Proxies keep theirs for 60 s: the side that sends should close first."""
IDLE_SHARE = 0.75
"""Of all connections. Above it, the one that has waited longest for a request is closed for each new one."""
PEER_SHARE = 1.0
"""A proxy is the only peer of the API."""
METRICS_CONNECTIONS = 64
SEND_SECONDS = 30.0
"""A client reads each part of an answer within this time."""

ReaderOf = Callable[[QueueClient], GrantReader]


class ApiServer:
    """`open` binds the socket, so that a port in use is an error at the start."""

    def __init__(
        self,
        listener: socket.socket,
        redis_client: RedisClient,
        local: LocalLayers,
        settings: Settings,
        reader: ReaderOf,
    ) -> None:
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self._listener = listener
        self._redis_client = redis_client
        self._local = local
        self._live = Live(settings)
        self._reader = reader
        pages = starting_routes(self._trouble) if settings.status_page.enabled else []
        self._app: ASGIApp = starting_app(self._trouble, pages)
        self._files = FileStore.open(settings.files.url, data_dir_of(settings))
        self._secrets, self._links = open_links(settings, os.environ)
        limits = ConnectionLimits(settings.api.connections, IDLE_SHARE, PEER_SHARE)
        self._connections = ConnectionTable[BoundedProtocol](limits)
        self._metrics = ApiMetrics()
        self._decisions = Decisions() if settings.audit.key_file is not None else None
        where = settings.api.metrics_bind
        self._metrics_listener = bind_tcp(where, "api.metrics_bind") if where else None
        bounds = ConnectionBounds(
            self._connections, not_counted, HEAD_SECONDS, answer_seconds=None, idle_seconds=IDLE_SECONDS
        )
        self._server = embedded_server(self._answer, ApiProtocol, bounds)

    @classmethod
    def open(
        cls, bind: str, redis_client: RedisClient, local: LocalLayers, settings: Settings, reader: ReaderOf
    ) -> "ApiServer":
        """Bind `host:port`. Raises OSError."""
        return cls(bind_tcp(bind, "api.bind"), redis_client, local, settings, reader)

    def _trouble(self) -> str:
        return self._redis_client.availability.trouble

    async def run(self) -> None:
        """Serve until cancelled."""
        works = {
            "redis": self._redis_client.availability.run(),
            "http": serve_on(self._server, self._listener),
            "api": self._run(),
        }
        if self._metrics_listener is not None:
            bounds = ConnectionBounds(connection_table(METRICS_CONNECTIONS), not_counted)
            server = embedded_server(metrics_app(self._metrics, self._metrics_hosts()), BoundedProtocol, bounds)
            works["metrics"] = serve_on(server, self._metrics_listener)
        await run_forever(works)

    @property
    def metrics_port(self) -> int | None:
        """Where `/metrics` is; None: nowhere."""
        return None if self._metrics_listener is None else int(self._metrics_listener.getsockname()[1])

    def _metrics_hosts(self) -> tuple[str, ...]:
        settings = self._live.value
        return (*settings.http.allowed_hosts, (settings.api.metrics_bind or "").rpartition(":")[0])

    async def _run(self) -> None:
        settings, availability = self._live.value, self._redis_client.availability
        replicated = await availability.retry_until_available(self._redis_client.has_replicas)
        queue = QueueClient(
            self._redis_client,
            prefix=settings.redis.prefix,
            shards=settings.redis.shards,
            options=queue_options(settings, QueueOptions(replicas=int(replicated))),
        )
        await availability.retry_until_available(queue.load)
        watch = ConfigWatch(queue.config, availability, self._local, self._live)
        await watch.look()
        listener = ChannelListener(self._redis_client, f"{queue.prefix}:events:_fleet")
        rollouts = RolloutFollower(queue.rollouts, availability)
        await rollouts.start()
        registry, trust = await self._open_registry(rollouts)
        self._app = self._built(queue, listener, watch, registry)
        log.info("the API is ready", address=f"{self.address[0]}:{self.address[1]}")
        works: dict[str, Coroutine[Any, Any, object]] = {
            "channels": listener.run(),
            "config": watch.run(),
            "files": run_sweeps(self._files),
        }
        if self._secrets is not None:
            works["secrets"] = self._secrets.run()
        if registry is not None and trust is not None:
            works |= {"registry": registry.run(), "trust": trust.run(registry), "rollouts": rollouts.run()}
        async with self._recording(queue):
            await run_forever(works)

    @asynccontextmanager
    async def _recording(self, queue: QueueClient) -> AsyncIterator[None]:
        """Record cancellations in the audit log for the length of the block, if this host has its key."""
        if self._decisions is None:
            yield
            return
        settings, lost = self._live.value, self._metrics.audit_record_lost
        folder = data_dir_of(settings)
        recorder = DecisionRecorder(*(self._decisions, queue.audit, settings, folder, lost), program="pageworker-api")
        async with recorder.running():
            yield

    async def _open_registry(self, rollouts: RolloutFollower) -> tuple[Registry | None, TrustFollower | None]:
        """None without a trusted key: then no module can be shown. Raises KeyUnusable, OSError."""
        settings = self._live.value
        if not settings.modules.names_keys:
            return None, None
        folder, trust = data_dir_of(settings), TrustFollower(settings.modules)
        registry = await Registry.open(
            settings.modules.registry or folder / "registry",
            trust.store,
            folder / "api-modules",
            refresh_seconds=settings.modules.refresh_seconds,
            rules=WorkerRules(self._live, rollouts.entry),
            cache_bytes=settings.modules.cache_bytes,
        )
        return registry, trust

    def _built(
        self, queue: QueueClient, listener: ChannelListener, watch: ConfigWatch, registry: Registry | None
    ) -> ASGIApp:
        api, calls = self._live.value.api, RedisCalls()
        submission = JobSubmission(queue.producer, admission_of(self._live.value))

        def use(settings: Settings) -> None:
            submission.use(admission_of(settings))
            queue.use(queue_options(settings, queue.options))

        use(self._live.value)
        self._live.on_change(use)
        waits = ResultWaits(queue.inspection, listener, queue.prefix, calls)
        bodies = RequestBodies(api.max_body_bytes)
        jobs = JobEndpoints(
            *(submission, queue.inspection, waits, calls, bodies, api.max_wait_seconds), self._decisions
        )
        batches = BatchEndpoints(submission, queue.batches, calls, bodies)
        gate = RequestGate(self._reader(queue), calls, api.requests_per_second, api.burst)
        availability = self._redis_client.availability
        settings = self._live.value
        store = ArtifactStore.open(settings.artifacts.url, data_dir_of(settings))
        downloads = ArtifactDownloads(store)
        artifacts = ArtifactEndpoint(queue.inspection, calls, downloads)
        files = FileEndpoint(self._files, settings.files)
        links = ArtifactLinkEndpoint(self._links, downloads)
        modules = ModuleEndpoint(registry, self._live)
        limits = LimitEndpoint(queue.tenants, calls, self._live, gate)
        usage = UsageEndpoint(queue.usage, calls)
        events = EventEndpoint(listener, gate, queue.prefix)
        subscriptions = SubscriptionEndpoints(queue.subscriptions, calls, bodies, self._live)
        self._metrics.observe(lambda: len(self._connections), lambda: events.open_streams)
        return api_app(
            (
                *(*jobs.table(), *artifacts.table(), *modules.table(), *limits.table(), *usage.table()),
                *(*events.table(), *subscriptions.table(), *batches.table(), *files.table(), WHOAMI),
            ),
            gate,
            lambda: availability.trouble or watch.trouble,
            links,
            self._pages(queue, calls, artifacts),
            RequestLog(self._metrics, lines=api.access_log),
        )

    def _pages(self, queue: QueueClient, calls: RedisCalls, artifacts: ArtifactEndpoint) -> list[Route]:
        page = self._live.value.status_page
        if not page.enabled:
            return []
        rules = VisitorRules(page.session_seconds, page.open_on_loopback, page.allowed_hosts)
        visitors = Visitors(TokenReader(queue.access_tokens), calls, rules)
        return StatusSite(StatusPages(queue, calls, self._live, artifacts), visitors).routes()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bounded(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        problem = framing_problem(scope["headers"]) if scope["type"] == "http" else None
        try:
            await (problem.response() if problem else self._app)(scope, receive, bounded)
        except TimeoutError:
            # uvicorn closes the connection of an answer that is not complete.
            log.info("a client did not read its answer in time")


def admission_of(settings: Settings) -> Admission:
    """Who may push what, by these settings."""
    return Admission(settings.tenants, settings.domains, settings.jobs, proxies=settings.proxies)
