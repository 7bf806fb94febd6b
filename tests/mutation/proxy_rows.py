"""Proxy policies: a job goes out by its own policy or not at all, and a login is for the proxy alone."""

from mutation import failures as f
from mutation.mutant import DISPATCH, RUNNERS, SUPERVISOR, Mutant

PROXIES = f"{SUPERVISOR}/proxies"
EGRESS = "sandbox/pageworker_sandbox/egress"
OF_CHOICE = "tests/proxies/test_choice.py"
OF_POLICIES = "tests/proxies/test_policies.py"
OF_GATEWAY = "tests/egress/test_proxy_policies.py"
REFUSED = f"{OF_CHOICE}::test_what_is_refused_is_named_with_what_the_tenant_may_use"
REMOVED = "test_a_policy_that_goes_while_jobs_use_it_ends_those_that_wait_and_leaves_those_that_run"

ROWS = (
    Mutant(
        f.PROXY_BYPASSED,
        f"{PROXIES}/choice.py",
        """((job, "the job names"), (module, "module.toml names"), """,
        """((module, "module.toml names"), (job, "the job names"), """,
        (f"{OF_CHOICE}::test_the_job_decides_before_its_module_and_that_before_the_tenant",),
    ),
    Mutant(
        f.PROXY_BYPASSED,
        f"{PROXIES}/choice.py",
        "        if tenant.proxy_required:\n",
        "        if False:\n",
        (REFUSED,),
    ),
    Mutant(
        f.PROXY_BYPASSED,
        f"{PROXIES}/choice.py",
        "    if not may_use(policy, tenant_id):\n",
        "    if False:\n",
        (REFUSED,),
    ),
    Mutant(
        f.PROXY_BYPASSED,
        f"{PROXIES}/policies.py",
        'raise PolicyGone(f"tenant {context.tenant_id} may not use proxy policy {context.proxy} any more")',
        "return ProxyRoute()",
        (f"{OF_POLICIES}::test_a_policy_that_is_gone_is_no_way_out",),
    ),
    Mutant(
        f.PROXY_BYPASSED,
        f"{SUPERVISOR}/config/proxy_settings.py",
        '    fallback: Literal["refuse", "direct"] = "refuse"\n',
        '    fallback: Literal["refuse", "direct"] = "direct"\n',
        (f"{OF_POLICIES}::test_a_policy_without_a_fallback_refuses",),
    ),
    Mutant(
        f.PROXY_BYPASSED,
        f"{EGRESS}/policy.py",
        '        direct = not self._proxies or policy.without_upstream == "direct"\n',
        "        direct = True\n",
        (f"{OF_GATEWAY}::test_without_a_proxy_that_works_a_request_is_refused_by_name",),
    ),
    Mutant(
        f.PROXY_BYPASSED,
        f"{DISPATCH}/wanted_context.py",
        "        proxy=proxies.choose(key.tenant_id, job.proxy, manifest.proxy),\n",
        "        proxy=key.proxy,\n",
        (f"tests/worker/test_proxies.py::{REMOVED}[removed]",),
    ),
    Mutant(
        f.CONFIG_DISTURBS,
        f"{RUNNERS}/dial_rules.py",
        "    return {**{name: before[name] for name in in_use if name in before}, **configured}\n",
        "    return configured\n",
        (
            "tests/runners/test_dial_rules.py::test_a_removed_policy_is_dialled_while_a_runner_has_it",
            f"tests/worker/test_proxies.py::{REMOVED}[removed]",
        ),
    ),
    Mutant(
        f.PROXY_LOGIN_SHOWN,
        f"{EGRESS}/exchange.py",
        """            if request.method.upper() == b"TRACE":\n""",
        """            if request.method == b"TRACE":\n""",
        ("tests/egress/test_upstream.py::test_a_proxy_gets_no_request_that_it_repeats_with_our_login",),
    ),
    Mutant(
        f.PROXY_LOGIN_SHOWN,
        f"{EGRESS}/exchange.py",
        "        if proxy is not None and self._route.absolute:\n",
        "        if proxy is not None:\n",
        (f"{OF_GATEWAY}::test_each_kind_carries_plain_requests_and_tunnels",),
    ),
    Mutant(
        f.PROXY_LOGIN_SHOWN,
        f"{EGRESS}/messages.py",
        """        return f"Upstream(url={self.url!r})"\n""",
        """        return f"Upstream(url={self.url!r}, password={self.password!r})"\n""",
        (f"{OF_GATEWAY}::test_other_credentials_are_refused_and_the_next_proxy_is_taken",),
    ),
    Mutant(
        f.PROXY_LOGIN_SHOWN,
        f"{PROXIES}/policies.py",
        "            masker.add(policy.credentials, login.pair)\n",
        "",
        (f"{OF_POLICIES}::test_a_login_is_masked_in_what_the_job_returns",),
    ),
    Mutant(
        f.PROXY_LOGIN_SHOWN,
        f"{PROXIES}/policies.py",
        "        self._secrets.mask(policy.credentials, login.password)\n",
        "",
        (f"{OF_POLICIES}::test_a_login_is_masked_in_what_the_job_returns",),
    ),
)
