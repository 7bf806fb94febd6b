"""Which way a runner goes: its upstreams, their order, their login."""

import asyncio
from typing import Any

import pytest
from pw_proxies import URLS, policies

from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.proxies import policies as policies_module
from pageworker_supervisor.proxies.policies import PolicyGone, ProxyRoute
from pageworker_supervisor.secrets.errors import SecretUnavailable
from pageworker_supervisor.secrets.masker import SecretMasker

VARIABLE = "SECRET_FLEET__PROXY_LOGIN"
EXPECTED = [2, 1, 0]
LOGIN: dict[str, dict[str, Any]] = {"p": {"credentials": "proxy_login"}}


def order(given: dict[str, Any], context: ContextKey, turn: str = "") -> tuple[str, ...]:
    return tuple(one.url for one in policies({"p": given}).route(context, turn).upstreams)


def key(profile: str | None = None, tenant: str = "acme") -> ContextKey:
    return ContextKey(tenant, profile, proxy="p")


def test_no_policy_is_no_upstream_as_in_the_gateways_default() -> None:
    route, usual = policies().route(ContextKey("acme")), EgressPolicy()
    assert route == ProxyRoute(usual.upstreams, usual.order, usual.salt, usual.without_upstream)


def test_a_profile_keeps_its_order_and_profiles_differ() -> None:
    orders = {order({}, key(f"p{number}")) for number in range(40)}
    assert len(orders) == 6, "three upstreams have six orders"
    assert order({}, key("p1"), "j1/1") == order({}, key("p1"), "j2/1")
    assert order({}, key()) == order({}, key()), "jobs without a profile share that of their tenant"
    assert len({order({}, key(tenant=f"t{number}")) for number in range(40)}) == 6


def test_the_order_is_that_of_every_release() -> None:
    """Another one would move every profile to another address."""
    assert [URLS.index(url) for url in order({}, key("p1"))] == EXPECTED


def test_each_attempt_has_an_order_of_its_own_with_rotation_job() -> None:
    orders = {order({"rotation": "job"}, key("p1"), f"j{number}/1") for number in range(40)}
    assert len(orders) == 6
    for job in (f"j{number}" for number in range(40)):
        firsts = [order({"rotation": "job"}, key("p1"), f"{job}/{number}")[0] for number in range(1, 7)]
        assert firsts[:3] == firsts[3:]
        assert sorted(firsts[:3]) == sorted(URLS), "a retry has another upstream than the attempt before"
    assert order({"rotation": "job"}, key("p1"), "j1/1") == order({"rotation": "job"}, key("p2"), "j1/1")


def test_the_gateway_orders_by_host_with_rotation_domain() -> None:
    route = policies({"p": {"rotation": "domain", "fallback": "direct", "resolve": "there"}}).route(key("p1"))
    assert (route.order, route.salt, route.without_upstream) == ("host", "acme", "direct")
    assert [(one.url, one.resolves, one.username) for one in route.upstreams] == [(url, True, None) for url in URLS]


@pytest.mark.parametrize("rotation", ["profile", "job", "domain"])
def test_a_policy_without_a_fallback_refuses(rotation: str) -> None:
    assert policies({"p": {"rotation": rotation}}).route(key("p1"), "j1/1").without_upstream == "refuse"


@pytest.mark.parametrize("proxies", [{}, {"p": {"tenants": ["other"]}}])
def test_a_policy_that_is_gone_is_no_way_out(proxies: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(PolicyGone):
        policies(proxies).route(key())


async def test_a_login_reaches_every_upstream_and_its_new_value_the_runners() -> None:
    environ = {VARIABLE: "ada:first-secret"}
    found = policies(LOGIN, environ=environ)
    told: list[str] = []
    found.on_login(lambda: told.append("changed"))
    with pytest.raises(PolicyGone, match="login of proxy policy p is not known"):
        found.route(key())
    await found.ready("p")
    assert {(one.username, one.password) for one in found.route(key()).upstreams} == {("ada", "first-secret")}
    await found.ready("p")
    assert told == []
    environ[VARIABLE] = "ada:second-secret"
    await found.ready("p")
    assert told == ["changed"]
    assert {one.password for one in found.route(key()).upstreams} == {"second-secret"}


@pytest.mark.parametrize(
    ("environ", "told"), [({}, f"{VARIABLE} is not set"), ({VARIABLE: "nocolon"}, "not of the form user:password")]
)
async def test_a_login_that_cannot_be_read_defers_the_job(environ: dict[str, str], told: str) -> None:
    with pytest.raises(SecretUnavailable, match=told):
        await policies(LOGIN, environ=environ).ready("p")


async def test_a_login_in_use_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies_module, "REFRESH_SECONDS", 0.001)
    environ = {VARIABLE: "ada:first-secret"}
    found, changed = policies(LOGIN, environ=environ), asyncio.Event()
    found.on_login(changed.set)
    await found.ready("p")
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(5):
        running = tasks.create_task(found.run())
        del environ[VARIABLE]
        await asyncio.sleep(0.01)
        assert found.route(key()).upstreams[0].password == "first-secret", "an outage changes nothing for what runs"
        environ[VARIABLE] = "ada:second-secret"
        await changed.wait()
        running.cancel()
    assert found.route(key()).upstreams[0].password == "second-secret"


async def test_a_login_is_masked_in_what_the_job_returns() -> None:
    masker, in_logs = SecretMasker(), SecretMasker()
    found = policies(LOGIN, environ={VARIABLE: "ada:first-secret"}, log_masker=in_logs)
    found.mask("p", masker)
    assert not masker
    await found.ready("p")
    found.mask("p", masker)
    assert in_logs.text("a first-secret b") == "a (secret _fleet/proxy_login) b"
    assert masker.text("a first-secret b") == "a (secret proxy_login) b"
    header = "Basic YWRhOmZpcnN0LXNlY3JldA=="  # as in Proxy-Authorization
    assert masker.text(header).startswith("Basic (secret proxy_login)")
    found.mask("gone", masker)


def test_the_standing_of_a_runner_is_its_right_and_its_pages() -> None:
    found = policies({"p": {}, "each": {"rotation": "job"}, "own": {"tenants": ["other"]}})
    names = ("p", "each", "own", "gone")
    assert [found.standing(ContextKey("acme", proxy=name)) for name in names] == [False, True, None, None]
    assert found.one_page == {"each"}
    assert set(found.settings) == {"p", "each", "own"}


def test_a_job_is_given_the_policy_that_choice_says() -> None:
    found = policies({"p": {}}, {"acme": {"proxy": "p"}})
    assert (found.choose("acme", None, None), found.choose("acme", "direct", None)) == ("p", "")
