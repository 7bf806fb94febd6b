"""The demo's jobs, each with the result that is expected of it. No I/O."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pageworker_demo.shop_data import PRODUCTS
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.result import Status

SHOP = "http://shop.example"
TENANTS = ("acme", "globex", "initech")
MEMBER_OF = {"acme": "ada", "globex": "grace"}
"""Which member of the shop a tenant logs in as. The password is a secret of the tenant."""


@dataclass(frozen=True)
class ExpectedResult:
    """The expected result of a job. Only the given fields are compared, and always blocker and callbacks."""

    status: Status
    data: dict[str, Any] = field(default_factory=dict)
    error_type: str | None = None
    blocker: str | None = None
    artifacts: frozenset[str] = frozenset()
    attempts: int | None = None


@dataclass(frozen=True)
class ScenarioJob:
    """One job to push."""

    fields: dict[str, Any]
    """The job as JSON object."""
    expected: ExpectedResult
    after: JobRef | None = None
    """Push it only after the result of this job has come."""
    pushes: int = 1
    """How often it is pushed. All pushes are one job."""

    @property
    def ref(self) -> JobRef:
        """Tenant and id."""
        return JobRef(self.fields["tenant_id"], self.fields["job_id"])

    @property
    def text(self) -> str:
        """The string to push, as `JSON.stringify` writes it."""
        return json.dumps(self.fields, ensure_ascii=False, separators=(",", ":"))


NO_JOB = "[object Object]"
"""What n8n pushes if an expression lacks JSON.stringify. It has no job id to answer to: it becomes a dead letter."""


def scenario(callback_base_url: str) -> list[ScenarioJob]:
    """About thirty jobs of three tenants. Some ids are used by several tenants."""
    return [
        *_products(callback_base_url),
        *_accounts(callback_base_url),
        *_trouble(callback_base_url),
        *_timing(),
        *_echoes(callback_base_url),
        *_rejected(),
    ]


def _products(callback_base_url: str) -> Iterator[ScenarioJob]:
    skus = list(PRODUCTS)
    for tenant, wanted, priority, module in (
        ("acme", skus, "high", "shop.product"),
        ("globex", skus[:3], "low", "shop.product"),
        ("initech", skus[2:5], "normal", "shop.product@1.0.0"),
    ):
        for sku in wanted:
            product = PRODUCTS[sku]
            job = _job(sku.lower(), tenant, module, {"url": f"{SHOP}/products/{sku}"})
            job |= {"priority": priority, "meta": {"order": sku}, "callback_url": f"{callback_base_url}/{tenant}"}
            yield ScenarioJob(
                job,
                ExpectedResult(
                    "succeeded",
                    {"sku": sku, "title": product.title, "price": product.price, "currency": product.currency},
                ),
                pushes=2 if sku == skus[0] else 1,
            )


def _accounts(callback_base_url: str) -> Iterator[ScenarioJob]:
    """Two tenants use a profile of the same name. Each logs in once, and then its own profile stays logged in."""
    for tenant, visits in (("acme", 3), ("globex", 2)):
        member, before = MEMBER_OF[tenant], None
        for visit in range(1, visits + 1):
            job = _job(f"account-{visit}", tenant, "shop.account", {"url": SHOP, "user": member})
            job |= {"profile_id": "shopper", "callback_url": f"{callback_base_url}/{tenant}"}
            expected = ExpectedResult("succeeded", {"member": member, "logged_in_before": visit > 1})
            visit_job = ScenarioJob(job, expected, after=before)
            yield visit_job
            before = visit_job.ref


def _trouble(callback_base_url: str) -> Iterator[ScenarioJob]:
    captcha = ExpectedResult("blocked", blocker="captcha")
    for tenant in ("globex", "initech"):
        job = _job("captcha", tenant, "shop.trouble", {"url": SHOP, "mode": "captcha"})
        yield ScenarioJob(job | {"callback_url": f"{callback_base_url}/{tenant}"}, captcha)
    failing = _job("failing", "globex", "shop.trouble", {"url": SHOP, "mode": "failing"})
    yield ScenarioJob(
        failing | {"max_retries": 1, "callback_url": f"{callback_base_url}/globex"},
        ExpectedResult(
            "failed", error_type="shop_unavailable", artifacts=frozenset({"screenshot", "html"}), attempts=2
        ),
    )
    missing = _job("missing", "acme", "shop.product", {"url": f"{SHOP}/products/NONE-00"})
    yield ScenarioJob(missing, ExpectedResult("failed", error_type="no_such_product", attempts=1))


def _timing() -> Iterator[ScenarioJob]:
    slow = _job("slow", "initech", "shop.trouble", {"url": SHOP, "mode": "slow"})
    yield ScenarioJob(slow | {"timeout_seconds": 1.5, "max_retries": 0}, ExpectedResult("timed_out", attempts=1))
    late = _job("late", "initech", "demo.echo", {})
    yield ScenarioJob(late | {"expires_at": "2020-01-01T00:00:00Z"}, ExpectedResult("expired"))
    later = _job("later", "acme", "demo.echo", {"said": "later"})
    yield ScenarioJob(later | {"delay_seconds": 1}, ExpectedResult("succeeded", {"said": "later"}))


def _echoes(callback_base_url: str) -> Iterator[ScenarioJob]:
    for tenant in TENANTS:
        job = _job("echo", tenant, "demo.echo", {"said": f"hello, {tenant}"})
        yield ScenarioJob(
            job | {"callback_url": f"{callback_base_url}/{tenant}"},
            ExpectedResult("succeeded", {"said": f"hello, {tenant}"}),
        )


def _rejected() -> Iterator[ScenarioJob]:
    product = {"url": f"{SHOP}/products/KTL-01"}
    misspelt = _job("unknown-field", "acme", "shop.product", product) | {"priorty": "high"}
    yield ScenarioJob(misspelt, ExpectedResult("rejected", error_type="unknown_field"))
    yield ScenarioJob(_job("unknown-module", "acme", "shop.produkt", product), ExpectedResult("rejected"))
    yield ScenarioJob(_job("bad-payload", "globex", "shop.product", {"uri": "?"}), ExpectedResult("rejected"))
    elsewhere = _job("bad-callback", "initech", "demo.echo", {})
    yield ScenarioJob(elsewhere | {"callback_url": "http://127.0.0.1:9/steal"}, ExpectedResult("rejected"))


def _job(job_id: str, tenant: str, module: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"job_id": job_id, "tenant_id": tenant, "endpoint_module": module, "payload": payload}
