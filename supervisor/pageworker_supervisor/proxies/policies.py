"""The proxy policies of this worker: which one a job has, and how its runner reaches the upstreams."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

from pageworker_sandbox.egress.messages import Upstream
from pageworker_sandbox.egress.upstream_order import preferred
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.config.upstream_url import parse_upstream
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.proxies.choice import NO_PROXY, choose, may_use
from pageworker_supervisor.proxies.login import LoginInvalid, ProxyLogin, parse_login
from pageworker_supervisor.secrets.errors import SecretError, SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.telemetry import log

REFRESH_SECONDS = 5.0
"""Between two looks at the logins in use. A file costs one fstat(2), and a lease of a backend holds longer."""


class PolicyGone(Exception):
    """A runner's policy does not exist any more, its tenant may not use it any more, or its login is not known."""


@dataclass(frozen=True)
class ProxyRoute:
    """The part of an egress policy that names upstreams. The defaults stand for a runner without a proxy policy."""

    upstreams: tuple[Upstream, ...] = ()
    order: Literal["given", "host"] = "given"
    salt: str = ""
    without_upstream: Literal["refuse", "direct"] = "refuse"


class ProxyPolicies:
    """Follows the settings and the logins. A login is kept in memory from its first use on."""

    def __init__(
        self,
        tenants: Live[dict[str, TenantSettings]],
        proxies: Live[dict[str, ProxySettings]],
        secrets: FleetSecrets,
    ) -> None:
        self._tenants = tenants
        self._proxies = proxies
        self._secrets = secrets
        self._logins: dict[tuple[str, str], ProxyLogin] = {}
        """By policy and secret."""
        self._on_login: Callable[[], None] = lambda: None

    @property
    def settings(self) -> Mapping[str, ProxySettings]:
        """The policies by name."""
        return self._proxies.value

    @property
    def one_page(self) -> frozenset[str]:
        """Policies whose runners have one page: each attempt has an upstream of its own."""
        return frozenset(name for name, policy in self._proxies.value.items() if policy.rotation == "job")

    def on_login(self, action: Callable[[], None]) -> None:
        """Call `action` when a login has another value than before."""
        self._on_login = action

    def choose(self, tenant_id: str, job: str | None, module: str | None) -> str:
        """See `choice.choose`. Raises ProxyRefused."""
        return choose(tenant_id, job, module, self._tenants.value, self._proxies.value)

    def permits(self, tenant_id: str, name: str) -> bool:
        """Whether a tenant may use a policy now."""
        policy = self._proxies.value.get(name)
        return policy is not None and may_use(policy, tenant_id)

    async def ready(self, name: str | None) -> None:
        """Have the login of a policy before a runner needs it. Raises SecretUnavailable."""
        policy = self._proxies.value.get(name) if name is not None else None
        if name is None or policy is None or policy.credentials is None:
            return
        use = f"proxy {name}"
        try:
            login = parse_login((await self._secrets.fetch(policy.credentials, use)).value)
        except SecretMissing as missing:
            # The operator has to store it. The job is not to blame, so it waits.
            raise SecretUnavailable(f"the login of {use}: {missing}") from missing
        except LoginInvalid as invalid:
            self._secrets.refuse(policy.credentials, use, str(invalid))
            raise SecretUnavailable(f"the login of {use}: {invalid}") from invalid
        self._secrets.mask(policy.credentials, login.password)
        before = self._logins.get((name, policy.credentials))
        self._logins[name, policy.credentials] = login
        if before not in (None, login):
            log.info("a proxy login has a new value", proxy=name)
            self._on_login()

    def mask(self, name: str, masker: SecretMasker) -> None:
        """Mask the login of a policy in what a job returns: an upstream may write it into its error page."""
        policy = self._proxies.value.get(name)
        login = self._logins.get((name, policy.credentials or "")) if policy is not None else None
        if policy is not None and policy.credentials is not None and login is not None:
            masker.add(policy.credentials, login.pair)
            masker.add(policy.credentials, login.password)

    def standing(self, context: ContextKey) -> object:
        """What ends a runner of this context when it changes: its right to the policy, and its number of pages."""
        policy = self._policy(context)
        return None if policy is None else policy.rotation == "job"

    def route(self, context: ContextKey, turn: str = "") -> ProxyRoute:
        """How a runner reaches its upstreams now. Raises PolicyGone.

        `turn`: the attempt, `JOB/NUMBER`, with rotation `job`.
        """
        if context.proxy == NO_PROXY:
            return ProxyRoute()
        policy = self._policy(context)
        if policy is None:
            raise PolicyGone(f"tenant {context.tenant_id} may not use proxy policy {context.proxy} any more")
        login = None
        if policy.credentials is not None:
            login = self._logins.get((context.proxy, policy.credentials))
            if login is None:
                raise PolicyGone(f"the login of proxy policy {context.proxy} is not known yet")
        upstreams = tuple(
            Upstream(
                url=str(parse_upstream(text)),
                username=login.username if login else None,
                password=login.password if login else None,
                resolves=policy.resolve == "there",
            )
            for text in policy.upstreams
        )
        if policy.rotation == "domain":
            return ProxyRoute(upstreams, "host", context.tenant_id, policy.fallback)
        return ProxyRoute(in_order(upstreams, policy, context, turn), without_upstream=policy.fallback)

    async def run(self) -> NoReturn:
        """Look at the logins in use from time to time: a new value reaches the runners that are up."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            for name, _ in list(self._logins):
                try:
                    await self.ready(name)
                except SecretError as away:
                    log.debug("a proxy login cannot be read, the last value is used", proxy=name, reason=str(away))

    def _policy(self, context: ContextKey) -> ProxySettings | None:
        policy = self._proxies.value.get(context.proxy)
        return policy if policy is not None and may_use(policy, context.tenant_id) else None


def in_order(
    upstreams: tuple[Upstream, ...], policy: ProxySettings, context: ContextKey, turn: str
) -> tuple[Upstream, ...]:
    """The order of the profile, of the tenant for jobs without one, or of the attempt `JOB/NUMBER`. Pure.

    The attempts of a job take the upstreams of its order one after the other. So a retry has another one.
    """
    if policy.rotation != "job":
        return preferred(upstreams, "profile", context.tenant_id, context.profile_id or "")
    job, _, number = turn.rpartition("/")
    ordered = preferred(upstreams, "job", context.tenant_id, job)
    first = int(number or 0) % max(1, len(ordered))
    return ordered[first:] + ordered[:first]
