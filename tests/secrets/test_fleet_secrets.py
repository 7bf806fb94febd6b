"""Secrets that the worker uses itself: fetched, masked, and recorded when something changes."""

import io
import json

import pytest

from pageworker_supervisor.config.log_settings import LogSettings
from pageworker_supervisor.secrets.backend import FLEET, FetchedSecret, SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry import log_to
from pageworker_supervisor.telemetry.metrics import Metrics


class Vault:
    """A backend whose answer the test sets."""

    def __init__(self) -> None:
        self.answer: FetchedSecret | Exception = FetchedSecret(value="correct-horse", version="1", lease_seconds=0)
        self.asked: list[SecretRef] = []

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        self.asked.append(ref)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def run(self) -> None:
        raise AssertionError("no test runs it")


async def test_each_new_value_and_each_refusal_is_recorded_once(lines: io.StringIO) -> None:
    vault, masker = Vault(), SecretMasker()
    secrets = FleetSecrets(SecretStore(vault), masker, Metrics())

    async def fetch() -> str:
        try:
            return (await secrets.fetch("proxy_login", "proxy de")).value
        except (SecretMissing, SecretUnavailable) as error:
            return str(error)

    for answer in (
        FetchedSecret(value="correct-horse", version="1", lease_seconds=0),
        FetchedSecret(value="battery-staple", version="2", lease_seconds=0),
        SecretUnavailable("no answer"),
        SecretMissing("no such secret"),
        FetchedSecret(value="battery-staple", version="2", lease_seconds=0),
    ):
        vault.answer = answer
        assert await fetch() == await fetch()
    secrets.refuse("proxy_login", "proxy de", "no login")
    assert set(vault.asked) == {SecretRef(FLEET, "proxy_login")}
    audited = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["outcome"], line.get("secret_version") or line.get("reason")) for line in audited] == [
        ("granted", "1"),
        ("granted", "2"),
        ("unavailable", "no answer"),
        ("missing", "no such secret"),
        ("granted", "2"),
        ("refused", "no login"),
    ]
    assert {(line["level"], line["secret_name"], line["use"]) for line in audited} == {
        ("audit", "proxy_login", "proxy de")
    }
    assert "horse" not in lines.getvalue()
    secrets.mask("proxy_login", "a-part-of-it")
    assert masker.text("a-part-of-it") == "(secret _fleet/proxy_login)"
    assert masker.text("a correct-horse b") == "a (secret _fleet/proxy_login) b"


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    log_to(LogSettings(), stream)
    return stream
