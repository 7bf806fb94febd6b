"""The self-checks of one worker: all of them at its start, some again while it serves."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.config.self_checks import WATCHED
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import ConditionLost, RedisClientError
from pageworker_supervisor.redis_client.router import root
from pageworker_supervisor.self_checks.clocks import ClockReading, jumps
from pageworker_supervisor.self_checks.effects import ChecksRefused, changes, mode_of, refused, switched_on, warned
from pageworker_supervisor.self_checks.finding import Finding
from pageworker_supervisor.self_checks.host_findings import data_dir_space, host_findings
from pageworker_supervisor.self_checks.redis_findings import redis_findings, start_findings
from pageworker_supervisor.self_checks.redis_reading import RedisReading, read_all, read_server, read_watched
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

ANSWER_SECONDS = 10.0


class WorkerChecks:
    """Runs the checks, and keeps which of them fail."""

    def __init__(
        self, settings: Settings, data_dir: Path, redis_client: RedisClient, metrics: Metrics, decisions: Decisions
    ) -> None:
        self._settings = settings.checks
        self._data_dir = data_dir
        self._roots = [root(settings.redis.prefix, shard) for shard in range(settings.redis.shards)]
        self._host: Callable[[], list[Finding]] = lambda: list(host_findings(settings, data_dir))
        self._redis_client = redis_client
        self._embedded = settings.redis.url is None
        self._metrics = metrics
        self._decisions = decisions
        self._failed: dict[str, Finding] = {}
        self._replicated = False
        self._clocks: ClockReading | None = None

    async def start(self) -> None:
        """Every check. Waits until Redis answers, unless a check of the host refuses. Raises ChecksRefused."""
        findings = self._host()
        try:
            if refused(self._settings, findings):
                async with asyncio.timeout(ANSWER_SECONDS):
                    reading = await self._read_all()
            else:
                reading = await self._redis_client.availability.retry_until_available(self._read_all)
        except (RedisClientError, TimeoutError):
            if not refused(self._settings, findings):
                raise
        else:
            findings += [*await self._of_redis(reading), *start_findings(reading)]
        findings = switched_on(self._settings, findings)
        if refusing := refused(self._settings, findings):
            # Told in the log alone: nothing is written to a Redis that a check refuses.
            raise ChecksRefused(refusing)
        for finding in warned(self._settings, findings):
            log.warning("self-check", check=finding.name, found=finding.found, fix=finding.mend)
        self._failed = {finding.name: finding for finding in findings if not finding.ok}
        for finding in findings:
            self._metrics.health.self_check(finding.name, failed=not finding.ok)

    async def watch(self, every_seconds: float) -> NoReturn:
        """Repeat the watched checks for ever. A failed one that is set to `refuse` withholds new jobs."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                reading = await read_watched(self._redis_client)
                findings = [data_dir_space(self._data_dir), *await self._of_redis(reading)]
            except (RedisClientError, OSError) as error:
                # The caller that needs it reports the outage.
                log.debug("the self-checks are not repeated", reason=str(error))
                self._clocks = None
                continue
            self._report_jumps(reading.clocks)
            self._apply(switched_on(self._settings, (one for one in findings if one.name in WATCHED)))

    async def _read_all(self) -> RedisReading:
        return await read_all(self._redis_client, self._roots, embedded=self._embedded)

    async def _of_redis(self, reading: RedisReading) -> list[Finding]:
        self._replicated |= bool(reading.survives)
        ingress = self._redis_client.ingress
        pushed = None if ingress is self._redis_client else await self._read_ingress(ingress)
        return redis_findings(reading, replicated=self._replicated, ingress=pushed)

    async def _read_ingress(self, ingress: RedisClient) -> RedisReading | None:
        """None while it does not answer: a worker starts and serves without it."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await read_server(ingress)
        except (RedisClientError, TimeoutError):
            return None

    def _apply(self, findings: list[Finding]) -> None:
        changed = changes(self._failed, findings)
        for finding in changed.lost:
            self._failed[finding.name] = finding
            log.error("a self-check fails now", check=finding.name, found=finding.found, fix=finding.mend)
            if mode_of(self._settings, finding.name) == "refuse":
                self._decisions.record("jobs.withhold", finding.name, reason=finding.found)
                self._redis_client.availability.withhold(
                    finding.name, ConditionLost(finding.name, finding.found, finding.mend)
                )
        for finding in changed.regained:
            del self._failed[finding.name]
            log.info("a self-check passes again", check=finding.name, found=finding.found)
            if mode_of(self._settings, finding.name) == "refuse":
                self._decisions.record("jobs.resume", finding.name, reason=finding.found)
            self._redis_client.availability.release(finding.name)
        for finding in (*changed.lost, *changed.regained):
            self._metrics.health.self_check(finding.name, failed=not finding.ok)

    def _report_jumps(self, clocks: ClockReading | None) -> None:
        before, self._clocks = self._clocks, clocks
        if before is None or clocks is None or mode_of(self._settings, "redis_clock") == "off":
            return
        for clock, by_seconds in jumps(before, clocks).items():
            self._metrics.health.clock_jumped(clock)
            fix = "run chrony or systemd-timesyncd, which correct a clock in small steps"
            log.error("a clock jumped", clock=clock, by_seconds=round(by_seconds, 3), fix=fix)
