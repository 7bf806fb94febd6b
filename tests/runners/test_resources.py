"""What a runner is told, and what it may reach."""

import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pw_doubles import any_typed
from pw_proxies import URLS, policies

from pageworker_profiles import FolderSize, ProfileFolders, ProfileLease
from pageworker_profiles.errors import BrowserOlder
from pageworker_sandbox.egress.policy import CompiledPolicy
from pageworker_sandbox.launch import Host, SandboxSpec
from pageworker_sandbox.launch.mounts import Bind
from pageworker_sandbox.page_rules import parse_options
from pageworker_sandbox.wire.page_options import PageOptions
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.config.egress_budget import EgressBudget
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.settings import EgressSettings, PoolSettings, SandboxSettings, TenantSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.proxies.policies import ProxyPolicies
from pageworker_supervisor.runners.browser_flavors import BrowserFlavors
from pageworker_supervisor.runners.egress_sets import EgressSets
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.memory_fit import HOST_SHARE, LEAST_EXPECTED_BYTES
from pageworker_supervisor.runners.option_sets import OptionSets
from pageworker_supervisor.runners.request_permits import RequestPermits
from pageworker_supervisor.runners.resources import RunnerResources
from pageworker_supervisor.runners.runner_turn import NO_TURN
from pageworker_supervisor.runners.spares import SPARE
from pageworker_supervisor.runners.uid_pool import UidPool

UNUSED = any_typed(None)
HOST = Host(Path("/bin/bwrap"), Path("/bin/python"), {"full": Path("/opt/chromium")}, (), (), ())


def resources(
    folder: Path,
    uids: IdRange | None = None,
    sets: EgressSets | None = None,
    proxies: ProxyPolicies | None = None,
    domains: dict[str, DomainSettings] | None = None,
) -> RunnerResources:
    return RunnerResources(
        worker_id="w1",
        pool=PoolSettings(pages=3, max_jobs=7),
        sandbox=SandboxSettings(),
        egress=EgressSettings(hosts={"Fixed.Test": "10.0.0.1:80"}, ports=(443,)),
        failure_artifacts=False,
        browser_log="warning",
        tenant_settings=lambda tenant_id: TenantSettings(egress=(f"*.{tenant_id}.test",)),
        host=HOST,
        gateway=UNUSED,
        profiles=ProfileFolders(folder, FolderSize(1000, 1 << 20)),
        metrics=UNUSED,
        decisions=Decisions(),
        uids=UidPool(uids),
        egress_sets=sets or EgressSets(),
        option_sets=OptionSets(),
        browsers=BrowserFlavors(HOST.browsers),
        proxies=proxies or policies(),
        requests=RequestPermits(lambda: domains or {}, UNUSED, UNUSED, lambda: 30.0),
    )


def test_a_runner_may_reach_what_its_tenant_and_its_modules_both_allow(tmp_path: Path) -> None:
    sets = EgressSets()
    context = ContextKey("acme", None, sets.name(["shop.test"]))
    policy = resources(tmp_path, sets=sets).policy(context)
    assert policy.hosts == (("*.acme.test",), ("shop.test",))
    assert (policy.ports, policy.fixed) == ((443,), {"fixed.test": "10.0.0.1:80"})


def test_a_runner_of_an_unknown_egress_set_reaches_nothing(tmp_path: Path) -> None:
    assert resources(tmp_path).policy(ContextKey("acme", None, "0" * 12)).hosts[1] == ()


@pytest.mark.parametrize(("profile", "persistent"), [(None, False), ("p", True)])
def test_the_boot_message(tmp_path: Path, profile: str | None, persistent: bool) -> None:
    boot = resources(tmp_path).boot_message("w1.1", ContextKey("acme", profile))
    assert (boot.runner_id, boot.worker_id, boot.tenant_id, boot.persistent) == ("w1.1", "w1", "acme", persistent)
    assert (boot.pages, boot.max_jobs, boot.failure_artifacts) == (3, 7, False)


def test_a_runner_is_told_the_options_that_its_key_names(tmp_path: Path) -> None:
    found = resources(tmp_path)
    german = parse_options({"locale": "de-DE"})
    named = found.option_sets.name(german)
    assert found.boot_message("r", ContextKey("acme", None, options=named)).options == german
    assert found.boot_message("r", ContextKey("acme")).options == PageOptions()


def test_hosts_that_the_options_block_are_refused_by_the_gateway(tmp_path: Path) -> None:
    found = resources(tmp_path)
    digest = found.option_sets.name(parse_options({"block_hosts": ["*.ADS.example", "[::1]"]}))
    assert found.policy(ContextKey("acme", options=digest)).blocked == ("*.ads.example", "::1")
    assert found.policy(ContextKey("acme")).blocked == ()


async def test_an_ephemeral_context_has_no_folder_and_returns_its_user_id(tmp_path: Path) -> None:
    found = resources(tmp_path, IdRange(1000, 5))
    for _ in range(9):
        async with found.folder(ContextKey("acme"), None) as folder:
            assert folder.path is None
            assert folder.uid is not None
            assert await folder.breach() is None


async def test_a_profile_is_kept_under_the_fence_that_opened_it(tmp_path: Path) -> None:
    kept: list[object] = []

    class KeptProfiles(ProfileFolders):
        async def release(self, lease: ProfileLease, fence: int | None, *, clean: bool, browser_version: str) -> None:
            kept.append((lease.profile_id, lease.open, fence, clean, browser_version))

    found = replace(resources(tmp_path), profiles=KeptProfiles(tmp_path))
    async with found.folder(ContextKey("acme", "p"), 7) as folder:
        await folder.keep(True, "150.0")
    async with found.folder(ContextKey("acme"), None) as folder:
        await folder.keep(True, "150.0")
    assert kept == [("p", True, 7, True, "150.0")]


async def test_a_profile_is_compared_with_the_browser_that_would_open_it(tmp_path: Path) -> None:
    (tmp_path / "browser").mkdir()
    binary = tmp_path / "browser/some-browser"
    binary.write_text("#!/bin/sh\necho Chromium 155.0.1.2\n")
    binary.chmod(0o755)
    inside = Path("/opt/pageworker/browser")
    host = replace(HOST, browsers={"full": inside / "some-browser"}, runner=(Bind(binary.parent, inside),))
    found = replace(resources(tmp_path / "profiles"), host=host, browsers=BrowserFlavors(host.browsers))
    for wrote, opens in (("155.0.1.2", True), ("155.0.1.3", False), ("156.0.0.0", False)):
        file = tmp_path / "profiles/acme/p/data/Last Version"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(wrote)
        with nullcontext() if opens else pytest.raises(BrowserOlder, match=rf"{wrote}.* is 155\.0\.1\.2"):
            async with found.folder(ContextKey("acme", "p"), None) as folder:
                assert folder.path == file.parent


async def test_a_profile_whose_browser_is_gone_is_not_opened(tmp_path: Path) -> None:
    found = resources(tmp_path)
    with pytest.raises(SpawnFailed, match="headless shell"):
        async with found.folder(ContextKey("acme", "p", flavor="shell"), None):
            pass
    assert not (tmp_path / "acme").exists()


async def test_a_runner_gets_the_profile_folder_that_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs: list[SandboxSpec] = []

    async def launched(host: Host, spec: SandboxSpec) -> None:
        specs.append(spec)

    monkeypatch.setattr("pageworker_supervisor.runners.resources.launch", launched)
    found = resources(tmp_path)
    async with found.folder(ContextKey("acme", "p"), None) as folder:
        await found.launch("r", folder)
        assert folder.path is not None
        assert specs[0].profile_fd is not None
        assert os.path.samestat(os.fstat(specs[0].profile_fd), folder.path.stat())
    async with found.folder(ContextKey("acme"), None) as folder:
        await found.launch("r", folder)
    assert (specs[1].profile_dir, specs[1].profile_fd) == (None, None)


def test_a_runner_with_a_proxy_policy_goes_out_by_its_upstreams_and_no_other_way(tmp_path: Path) -> None:
    found = resources(tmp_path, proxies=policies({"p": {"fallback": "direct"}, "own": {"tenants": ["other"]}}))
    policy = found.policy(ContextKey("acme", proxy="p"))
    assert (sorted(one.url for one in policy.upstreams), policy.without_upstream) == (URLS, "direct")
    assert found.policy(ContextKey("acme")).upstreams == ()
    for gone in ("own", "gone"):
        with pytest.raises(SpawnFailed, match=f"may not use proxy policy {gone}"):
            found.policy(ContextKey("acme", proxy=gone))


def test_a_runner_whose_attempts_have_upstreams_of_their_own_has_one_page(tmp_path: Path) -> None:
    found = resources(tmp_path, proxies=policies({"each": {"rotation": "job"}, "p": {}}))
    assert [found.pages(ContextKey("acme", proxy=name)) for name in ("each", "p", "")] == [1, 3, 3]
    assert found.boot_message("r", ContextKey("acme", proxy="each")).pages == 1
    assert found.boot_message("r", ContextKey("acme", one_page=True)).pages == 1


def test_the_budget_of_an_attempt_is_in_its_policy_and_is_no_reason_to_replace_the_runner(tmp_path: Path) -> None:
    context = ContextKey("acme", one_page=True)
    found = resources(tmp_path)
    turn = NO_TURN.next("j/1", EgressBudget(10, 2))
    policy = found.policy(context, turn)
    assert (policy.budget_bytes, policy.budget_requests, policy.budget_turn) == (10, 2, 1)
    assert found.policy(context, turn.next("j/1", EgressBudget(10, 2))) != policy, "the gateway begins anew"
    first = found.policy(context)
    assert (first.budget_bytes, first.budget_requests) == (None, None)
    budgets = EgressSettings(hosts=found.egress.hosts, ports=found.egress.ports, budget_bytes=5)
    assert replace(found, egress=budgets).terms(context) == found.terms(context)


def test_a_runner_is_replaced_if_its_right_or_its_pages_change_and_kept_if_its_pool_does(tmp_path: Path) -> None:
    context = ContextKey("acme", proxy="p")

    def terms(proxies: dict[str, Any]) -> object:
        return resources(tmp_path, proxies=policies(proxies)).terms(context)

    usual = terms({"p": {}})
    assert terms({"p": {"upstreams": ["http://q1.test:3128"], "fallback": "direct", "country": "de"}}) == usual
    assert usual not in (terms({}), terms({"p": {"tenants": ["other"]}}), terms({"p": {"rotation": "job"}}))


def test_a_runner_asks_for_the_hosts_with_a_rate_that_it_may_reach(tmp_path: Path) -> None:
    sets = EgressSets()
    context = ContextKey("acme", None, sets.name(["*"]))
    limited = DomainSettings(requests_per_second=5)
    domains = {
        "Shop.acme.test": limited,
        "shop.other.test": limited,
        "*.test": limited,
        "free.acme.test": DomainSettings(),
    }
    found = resources(tmp_path, sets=sets, domains=domains)
    assert found.boot_message("w1.1", context).limited_hosts == ("*.test", "shop.acme.test")
    assert resources(tmp_path, sets=sets).boot_message("w1.1", context).limited_hosts == ()


def test_a_runner_goes_when_other_hosts_have_a_rate_but_not_when_a_rate_changes(tmp_path: Path) -> None:
    sets = EgressSets()
    context = ContextKey("acme", None, sets.name(["*"]))

    def terms(**rates: float) -> object:
        domains = {f"{name}.acme.test": DomainSettings(requests_per_second=rate) for name, rate in rates.items()}
        return resources(tmp_path, sets=sets, domains=domains).terms(context)

    assert terms(shop=5) == terms(shop=7)
    assert terms(shop=5) != terms(shop=5, news=5) != terms()


def test_a_spare_reaches_nothing_whatever_the_tenants_may(tmp_path: Path) -> None:
    found = replace(resources(tmp_path), tenant_settings=lambda _: TenantSettings(egress=("*",)))
    policy = found.policy(SPARE)
    assert (policy.hosts, policy.ports, policy.fixed, policy.upstreams) == ((), (), {}, ())
    assert not CompiledPolicy(policy).permits_host("fixed.test")
    boot = found.boot_message("w1.1", SPARE)
    assert (boot.spare, boot.persistent, boot.limited_hosts) == (True, False, ())
    assert not found.boot_message("w1.1", ContextKey("acme")).spare


def test_the_terms_of_a_spare_are_those_of_the_pool_and_of_no_tenant(tmp_path: Path) -> None:
    found = resources(tmp_path)
    of_tenants = replace(found, tenant_settings=lambda _: TenantSettings(egress=("other.test",)))
    assert found.terms(SPARE) == of_tenants.terms(SPARE)
    assert found.terms(SPARE) != replace(found, pool=PoolSettings(pages=4)).terms(SPARE)


def test_a_context_with_a_limit_on_requests_wants_more_than_a_spare_has(tmp_path: Path) -> None:
    sets = EgressSets()
    context = ContextKey("acme", None, sets.name(["shop.acme.test"]))
    limits = {"shop.acme.test": DomainSettings(requests_per_second=1.0)}
    assert not resources(tmp_path, sets=sets).wants(context).limited
    assert resources(tmp_path, sets=sets, domains=limits).wants(context).limited


@pytest.mark.parametrize(
    ("setting", "host", "limit"),
    [
        (None, None, None),
        (None, 10_000 * 1024**2, int(HOST_SHARE * 10_000 * 1024**2)),
        (5_000 * 1024**2, 10_000 * 1024**2, 5_000 * 1024**2),
    ],
)
def test_spares_have_their_part_of_the_memory(
    tmp_path: Path, setting: int | None, host: int | None, limit: int | None
) -> None:
    for spares in (0, 2):
        pool = PoolSettings(memory_bytes=setting, spares=spares)
        rules = replace(resources(tmp_path), pool=pool, host_memory_bytes=host).pool_rules
        assert rules.memory_bytes == (None if limit is None else limit - spares * LEAST_EXPECTED_BYTES)
