"""Proxy policies for tests that need no proxy."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.proxies.policies import ProxyPolicies
from pageworker_supervisor.secrets.environment import EnvironmentBackend
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry.metrics import Metrics

URLS = ["http://p1.test:3128", "https://p2.test:3129", "socks5://p3.test:1080"]


def pool(**given: Any) -> ProxySettings:
    """A policy with three upstreams, and these settings."""
    return msgspec.convert({"upstreams": URLS, **given}, ProxySettings)


def policies(
    proxies: Mapping[str, Mapping[str, Any]] | None = None,
    tenants: Mapping[str, Mapping[str, Any]] | None = None,
    environ: dict[str, str] | None = None,
    log_masker: SecretMasker | None = None,
) -> ProxyPolicies:
    """Those of `[proxies]` and `[tenants]`. Secrets are in `environ`, which the test may change."""
    store = SecretStore(EnvironmentBackend(environ if environ is not None else {}))
    settings = {name: pool(**given) for name, given in (proxies or {}).items()}
    owners = {name: msgspec.convert(given, TenantSettings) for name, given in (tenants or {}).items()}
    return ProxyPolicies(
        Live(owners),
        Live(settings),
        FleetSecrets(store, SecretMasker() if log_masker is None else log_masker, Metrics()),
    )
