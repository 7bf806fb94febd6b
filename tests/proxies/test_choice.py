"""Which policy a job has, and what its sender is told if it has none."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from pw_proxies import pool

from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.proxies.choice import NO_PROXY, ProxyRefused, choose

PROXIES = {"de": pool(), "fr": pool(tenants=["ac*"]), "own": pool(tenants=["other"])}


def chosen(job: str | None = None, module: str | None = None, tenant: Mapping[str, Any] | None = None) -> str:
    tenants = {"acme": msgspec.convert(tenant or {}, TenantSettings)}
    return choose("acme", job, module, tenants, PROXIES)


@pytest.mark.parametrize(
    ("job", "module", "tenant", "policy"),
    [
        (None, None, None, NO_PROXY),
        (None, None, "de", "de"),
        (None, "fr", "de", "fr"),
        ("de", "fr", None, "de"),
        ("direct", "fr", "de", NO_PROXY),
        (None, "direct", "de", NO_PROXY),
        ("fr", "direct", None, "fr"),
        ("de", "gone", "gone", "de"),
    ],
)
def test_the_job_decides_before_its_module_and_that_before_the_tenant(
    job: str | None, module: str | None, tenant: str | None, policy: str
) -> None:
    assert chosen(job, module, {"proxy": tenant} if tenant else None) == policy


@pytest.mark.parametrize(
    ("job", "module", "tenant", "told"),
    [
        ("gone", None, {}, "the job names `gone`, which is no policy here"),
        ("own", None, {}, "the job names `own`, which tenant acme may not use"),
        (None, "own", {}, "module.toml names `own`, which tenant acme may not use"),
        (None, None, {"proxy": "gone"}, "tenant acme has `gone`, which is no policy here"),
        ("direct", None, {"proxy": "de", "proxy_required": True}, "the job names `direct`, and tenant acme must use"),
        (None, "direct", {"proxy": "de", "proxy_required": True}, "module.toml names `direct`"),
    ],
)
def test_what_is_refused_is_named_with_what_the_tenant_may_use(
    job: str | None, module: str | None, tenant: Mapping[str, Any], told: str
) -> None:
    with pytest.raises(ProxyRefused) as caught:
        chosen(job, module, tenant)
    assert told in str(caught.value)
    assert "the tenant may use: de, fr;" in str(caught.value)
    assert "own" not in caught.value.hint, "a tenant is told of no policy of others"
    assert caught.value.detail["field"] == "proxy"
