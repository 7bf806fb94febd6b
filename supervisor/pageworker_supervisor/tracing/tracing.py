"""Tracing of one worker, as its settings say: a tracer, and the exporter behind it. Without an endpoint: neither."""

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

from pageworker_supervisor.config.tracing_settings import TracingSettings
from pageworker_supervisor.config.value_checks import HEADER_VALUES, is_header_value
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.tracing.errors import HeadersMissing
from pageworker_supervisor.tracing.job_trace import Tracer

if TYPE_CHECKING:
    from pageworker_supervisor.tracing.exporter import SpanExporter


class Tracing:
    """What the worker holds of tracing. `tracer`: None if it is off."""

    def __init__(
        self,
        settings: TracingSettings,
        queue: str,
        worker_id: str,
        secrets: FleetSecrets,
        on_dropped: Callable[[int], None],
    ) -> None:
        """`queue`: prefix of the Redis keys. `on_dropped` is told how many spans were just dropped."""
        self.tracer: Tracer | None = None
        self._exporter: "SpanExporter | None" = None  # noqa: UP037 - the name is imported for the checker alone
        self._settings = settings
        self._secrets = secrets
        if settings.endpoint is not None:
            # Imported here: a worker without an endpoint has no use for OpenTelemetry.
            from pageworker_supervisor.tracing import exporter, otlp

            encoder = otlp.SpanEncoder(
                {
                    "service.name": "pageworker",
                    "service.version": version("pageworker"),
                    "service.instance.id": worker_id,
                }
            )
            self._exporter = exporter.SpanExporter(
                settings.endpoint, self._headers, settings.timeout_seconds, encoder, on_dropped
            )
            self.tracer = Tracer(self._exporter.put, settings.sample_ratio, queue)

    def use(self, settings: TracingSettings) -> None:
        """Sample and send with these settings from now on. The endpoint stays."""
        self._settings = settings
        if self.tracer is not None and self._exporter is not None:
            self.tracer.use(settings.sample_ratio)
            self._exporter.timeout_seconds = settings.timeout_seconds

    async def run(self) -> None:
        """Send spans until cancelled."""
        if self._exporter is not None:
            await self._exporter.run()
        else:
            await asyncio.Event().wait()

    async def stop(self) -> None:
        """Send the last spans, for two seconds at most."""
        if self._exporter is not None:
            await self._exporter.stop()

    async def _headers(self) -> dict[str, str]:
        headers = dict(self._settings.headers)
        for header, name in self._settings.header_secrets.items():
            try:
                value = (await self._secrets.fetch(name, f"tracing header {header}")).value
            except (SecretMissing, SecretUnavailable) as error:
                raise HeadersMissing(f"tracing.header_secrets.{header}: {error}") from error
            if not is_header_value(value):
                raise HeadersMissing(
                    f"tracing.header_secrets.{header}: the secret {name} is no header value: store {HEADER_VALUES}"
                )
            headers[header] = value
        return headers
