"""Tracing as the settings say."""

import asyncio
from typing import Any

import msgspec
import pytest
from pw_receiver import receiver

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tracing_settings import TracingSettings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.open_backend import open_backend
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.tracing.errors import HeadersMissing
from pageworker_supervisor.tracing.tracing import Tracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def tracing(settings: TracingSettings, environ: dict[str, str] | None = None) -> Tracing:
    secrets = Settings().secrets if environ is None else _environment_secrets()
    store = SecretStore(open_backend(secrets, environ or {}))
    return Tracing(settings, "pw", "w1", FleetSecrets(store, SecretMasker(), Metrics()), lambda _: None)


def _environment_secrets() -> Any:
    return msgspec.convert({"secrets": {"backend": "environment", "environment": {"allow": True}}}, Settings).secrets


async def test_without_an_endpoint_there_is_no_tracer() -> None:
    off = tracing(TracingSettings())
    off.use(TracingSettings(sample_ratio=0.5))
    await off.stop()
    assert off.tracer is None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await off.run()


async def test_the_share_and_the_time_limit_change_at_once() -> None:
    on = tracing(TracingSettings(endpoint="http://127.0.0.1:1"))
    assert on.tracer is not None
    assert on.tracer.job(JobRef("acme", "j"), TRACE, None, "m") is not None
    on.use(TracingSettings(endpoint="http://127.0.0.1:1", sample_ratio=0.0, timeout_seconds=3.0))
    assert on.tracer.job(JobRef("acme", "j"), TRACE, None, "m") is None
    assert on._exporter is not None
    assert on._exporter.timeout_seconds == 3.0


async def test_headers_are_plain_or_secrets_of_the_fleet() -> None:
    async with receiver() as collector, asyncio.TaskGroup() as tasks:
        settings = TracingSettings(
            endpoint=collector.url(""), headers={"X-Org": "7"}, header_secrets={"Authorization": "otlp_login"}
        )
        on = tracing(settings, {"SECRET_FLEET__OTLP_LOGIN": "Bearer abc"})
        running = tasks.create_task(on.run())
        assert on.tracer is not None
        job = on.tracer.job(JobRef("acme", "j"), TRACE, None, "m")
        assert job is not None
        job.intake(0.0, "queued")
        await on.stop()
        running.cancel()
    (post,) = collector.received
    assert (post.headers["x-org"], post.headers["authorization"]) == ("7", "Bearer abc")


@pytest.mark.parametrize("value", ["t\u00f6ken", "token\n", "", "a\r\nX-Other: b"])
async def test_a_secret_that_is_no_header_is_named_and_not_shown(value: str) -> None:
    settings = TracingSettings(endpoint="http://127.0.0.1:1", header_secrets={"Authorization": "otlp_login"})
    on = tracing(settings, {"SECRET_FLEET__OTLP_LOGIN": value})
    with pytest.raises(HeadersMissing) as refused:
        await on._headers()
    assert str(refused.value).startswith("tracing.header_secrets.Authorization: ")
    assert not value.strip() or value.strip() not in str(refused.value)
