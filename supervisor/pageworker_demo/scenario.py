"""What the demo pushes, and what must come of it. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pageworker_demo.shop_data import MEMBERS, PRODUCTS
from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.contract.result import Status

SHOP = "http://shop.example"
TENANTS = ("acme", "globex", "initech")


@dataclass(frozen=True)
class Expected:
    """What the result of a job must say. Only what is given is looked at, but artifacts and callbacks always."""

    status: Status
    data: dict[str, Any] = field(default_factory=dict)
    error_type: str | None = None
    blocker: str | None = None
    artifacts: frozenset[str] = frozenset()
    attempts: int | None = None


@dataclass(frozen=True)
class ScenarioJob:
    """One push. `after`: a job whose result has to be there first, as where a flow goes on with an answer."""

    job: dict[str, Any]
    expected: Expected
    after: JobRef | None = None
    pushes: int = 1

    @property
    def ref(self) -> JobRef:
        """Its name."""
        return JobRef(self.job["tenant_id"], self.job["job_id"])

    @property
    def text(self) -> str:
        """What goes onto the list, as `JSON.stringify` would write it."""
        return json.dumps(self.job, ensure_ascii=False, separators=(",", ":"))


NO_JOB = "[object Object]"
"""What n8n pushes where an expression lacks JSON.stringify. Nobody can be answered: it goes to the dead letters."""


def scenario(callbacks: str) -> list[ScenarioJob]:
    """Some thirty jobs of three tenants, with ids in common. `callbacks`: base URL of allowed callbacks."""
    return [
        *_products(callbacks),
        *_accounts(callbacks),
        *_trouble(callbacks),
        *_time(),
        *_echoes(callbacks),
        *_mistakes(),
    ]


def _products(callbacks: str) -> Iterator[ScenarioJob]:
    skus = list(PRODUCTS)
    for tenant, wanted, priority, module in (
        ("acme", skus, "high", "shop.product"),
        ("globex", skus[:3], "low", "shop.product"),
        ("initech", skus[2:5], "normal", "shop.product@1.0.0"),
    ):
        for sku in wanted:
            product = PRODUCTS[sku]
            job = _job(sku.lower(), tenant, module, {"url": f"{SHOP}/products/{sku}"})
            job |= {"priority": priority, "meta": {"order": sku}, "callback_url": f"{callbacks}/{tenant}"}
            yield ScenarioJob(
                job,
                Expected(
                    "succeeded",
                    {"sku": sku, "title": product.title, "price": product.price, "currency": product.currency},
                ),
                pushes=2 if sku == skus[0] else 1,
            )


def _accounts(callbacks: str) -> Iterator[ScenarioJob]:
    """Two tenants use a profile of the same name: each has to log in for itself, and then stays logged in."""
    for tenant, member, visits in (("acme", "ada", 3), ("globex", "grace", 2)):
        before: JobRef | None = None
        for visit in range(1, visits + 1):
            payload = {"url": SHOP, "user": member, "password": MEMBERS[member]}
            job = _job(f"account-{visit}", tenant, "shop.account", payload)
            job |= {"profile_id": "shopper", "callback_url": f"{callbacks}/{tenant}"}
            expected = Expected("succeeded", {"member": member, "logged_in_before": visit > 1})
            act = ScenarioJob(job, expected, after=before)
            yield act
            before = act.ref


def _trouble(callbacks: str) -> Iterator[ScenarioJob]:
    captcha = Expected("blocked", blocker="captcha")
    for tenant in ("globex", "initech"):
        job = _job("captcha", tenant, "shop.trouble", {"url": SHOP, "mode": "captcha"})
        yield ScenarioJob(job | {"callback_url": f"{callbacks}/{tenant}"}, captcha)
    failing = _job("failing", "globex", "shop.trouble", {"url": SHOP, "mode": "failing"})
    yield ScenarioJob(
        failing | {"max_retries": 1, "callback_url": f"{callbacks}/globex"},
        Expected("failed", error_type="shop_unavailable", artifacts=frozenset({"screenshot", "html"}), attempts=2),
    )
    missing = _job("missing", "acme", "shop.product", {"url": f"{SHOP}/products/NONE-00"})
    yield ScenarioJob(missing, Expected("failed", error_type="no_such_product", attempts=1))


def _time() -> Iterator[ScenarioJob]:
    slow = _job("slow", "initech", "shop.trouble", {"url": SHOP, "mode": "slow"})
    yield ScenarioJob(slow | {"timeout_seconds": 1.5, "max_retries": 0}, Expected("timed_out", attempts=1))
    late = _job("late", "initech", "demo.echo", {})
    yield ScenarioJob(late | {"expires_at": "2020-01-01T00:00:00Z"}, Expected("expired"))
    later = _job("later", "acme", "demo.echo", {"said": "later"})
    yield ScenarioJob(later | {"delay_seconds": 1}, Expected("succeeded", {"said": "later"}))


def _echoes(callbacks: str) -> Iterator[ScenarioJob]:
    for tenant in TENANTS:
        job = _job("echo", tenant, "demo.echo", {"said": f"hello, {tenant}"})
        yield ScenarioJob(
            job | {"callback_url": f"{callbacks}/{tenant}"}, Expected("succeeded", {"said": f"hello, {tenant}"})
        )


def _mistakes() -> Iterator[ScenarioJob]:
    product = {"url": f"{SHOP}/products/KTL-01"}
    misspelt = _job("unknown-field", "acme", "shop.product", product) | {"priorty": "high"}
    yield ScenarioJob(misspelt, Expected("rejected", error_type="unknown_field"))
    yield ScenarioJob(_job("unknown-module", "acme", "shop.produkt", product), Expected("rejected"))
    yield ScenarioJob(_job("bad-payload", "globex", "shop.product", {"uri": "?"}), Expected("rejected"))
    elsewhere = _job("bad-callback", "initech", "demo.echo", {})
    yield ScenarioJob(elsewhere | {"callback_url": "http://127.0.0.1:9/steal"}, Expected("rejected"))


def _job(job_id: str, tenant: str, module: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"job_id": job_id, "tenant_id": tenant, "endpoint_module": module, "payload": payload}
