"""What a module is answered, and what is recorded of it."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.log_settings import LogSettings
from pageworker_supervisor.config.secret_settings import SecretGrantSettings
from pageworker_supervisor.secrets.backend import FetchedSecret, SecretRef
from pageworker_supervisor.secrets.environment import EnvironmentBackend
from pageworker_supervisor.secrets.errors import SecretUnavailable
from pageworker_supervisor.secrets.grants import SecretGrants
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.secret_service import SecretDenied, SecretGranted, SecretService, SecretUser
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry import log_to
from pageworker_supervisor.telemetry.metrics import Metrics

ENVIRON = {
    "SECRET__ACME__SHOP_LOGIN": "correct-horse",
    "SECRET__ACME__SHOP_TOTP": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "SECRET__ACME__BANK_LOGIN": "battery-staple",
    "SECRET__ACME__SHOP_PIN": "1234",
}
USER = SecretUser(
    tenant_id="acme",
    job="acme/17",
    attempt=2,
    module="shop.account",
    version="1.0.0",
    manifest_secrets=("shop_login", "shop_totp", "shop_pin", "shop_gone", "bank_login"),
)


class AwayBackend:
    """Never answers."""

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        raise SecretUnavailable("no connection")

    async def run(self) -> None:
        raise AssertionError("the service asks, and never runs its backend")


class Recorded:
    """A service, its log and its metrics."""

    def __init__(self, lines: io.StringIO, backend: Any = None) -> None:
        self._lines = lines
        self.metrics = Metrics(["acme"])
        grants = SecretGrants(Live({"shop_*": SecretGrantSettings(tenants=("acme",), modules=("shop.*",))}))
        store = SecretStore(backend or EnvironmentBackend(ENVIRON))
        self.service = SecretService(store, grants, self.metrics, clock=lambda: 59.0)
        self.masker = SecretMasker()

    async def ask(self, name: str, form: Any = "value") -> SecretGranted | SecretDenied:
        return await self.service.answer(USER, name, form, self.masker)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._lines.getvalue().splitlines()]

    def counted(self, outcome: str) -> float | None:
        labels = {"outcome": outcome, "tenant": "acme"}
        return self.metrics.registry.get_sample_value("pageworker_secret_requests_total", labels)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log_to(LogSettings(level="error"), stream)
    yield stream
    log_to(LogSettings())


async def test_a_granted_secret_is_given_masked_and_recorded_without_its_value(lines: io.StringIO) -> None:
    it = Recorded(lines)
    assert await it.ask("shop_login") == SecretGranted("correct-horse")
    assert it.masker.text("correct-horse") == "(secret shop_login)"
    assert it.service.log_masker.text("correct-horse") == "(secret acme/shop_login)"
    (line,) = it.lines()
    expected = {
        "level": "audit",
        "message": "secret granted",
        "tenant_id": "acme",
        "job": "acme/17",
        "attempt": 2,
        "module": "shop.account",
        "module_version": "1.0.0",
        "secret_name": "shop_login",
        "form": "value",
        "outcome": "granted",
        "masked": True,
    }
    assert line.items() >= expected.items()
    assert set(line) == {*expected, "ts", "secret_version"}
    assert "correct-horse" not in lines.getvalue()
    assert it.counted("granted") == 1


async def test_a_refusal_is_recorded_with_its_reason_and_nothing_is_fetched(lines: io.StringIO) -> None:
    it = Recorded(lines, AwayBackend())
    answer = await it.ask("bank_login")
    assert answer == SecretDenied("no key of [secrets.grants] covers it")
    (line,) = it.lines()
    assert (line["outcome"], line["reason"]) == ("denied", "no key of [secrets.grants] covers it")
    assert it.counted("denied") == 1
    assert not it.masker


async def test_a_secret_that_does_not_exist_tells_the_operator_where(lines: io.StringIO) -> None:
    it = Recorded(lines)
    answer = await it.ask("shop_gone")
    assert isinstance(answer, SecretDenied)
    assert "SECRET__" not in answer.reason, "names of the backend are the operator's"
    (line,) = it.lines()
    assert (line["outcome"], line["reason"]) == (
        "missing",
        "the environment variable SECRET__ACME__SHOP_GONE is not set",
    )
    assert it.counted("missing") == 1


async def test_a_backend_that_is_away_is_recorded_and_raised(lines: io.StringIO) -> None:
    it = Recorded(lines, AwayBackend())
    with pytest.raises(SecretUnavailable):
        await it.ask("shop_login")
    assert it.lines()[0]["outcome"] == "unavailable"
    assert it.counted("unavailable") == 1


async def test_a_one_time_password_leaves_its_seed_here(lines: io.StringIO) -> None:
    it = Recorded(lines)
    assert await it.ask("shop_totp", "totp") == SecretGranted("287082")
    assert not it.masker, "the code is worth nothing in a minute"
    assert it.lines()[0]["form"] == "totp"


async def test_a_secret_that_is_no_seed_gives_no_one_time_password(lines: io.StringIO) -> None:
    it = Recorded(lines)
    answer = await it.ask("shop_pin", "totp")
    assert isinstance(answer, SecretDenied)
    assert it.lines()[0]["reason"] == "it is neither base32 text nor an otpauth:// URI"


async def test_a_secret_that_is_too_short_to_be_masked_says_so_in_the_record(lines: io.StringIO) -> None:
    it = Recorded(lines)
    assert await it.ask("shop_pin") == SecretGranted("1234")
    assert it.lines()[0]["masked"] is False


async def test_warming_fetches_what_is_granted_and_records_nothing(lines: io.StringIO) -> None:
    it = Recorded(lines)
    await it.service.warm("acme", "shop.account", ("shop_login", "shop_gone", "bank_login"))
    away = Recorded(lines, AwayBackend())
    await away.service.warm("acme", "shop.account", ("bank_login",))
    await away.service.warm("globex", "shop.account", ("shop_login",))
    with pytest.raises(SecretUnavailable):
        await away.service.warm("acme", "shop.account", ("bank_login", "shop_login"))
    assert lines.getvalue() == ""


def test_the_text_of_a_grant_does_not_show_it() -> None:
    assert "horse" not in repr(SecretGranted("correct-horse"))
