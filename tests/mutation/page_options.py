"""Options and flavor of a browser: no job runs in a browser that was opened for others."""

from mutation import failures as f
from mutation.mutant import RUNNERS, Mutant

RULES = "sandbox/pageworker_sandbox/page_rules.py"
OPTIONS = "sandbox/pageworker_sandbox/wire/page_options.py"
KEY = "supervisor/pageworker_supervisor/contract/context_key.py"
ENQUEUER = "supervisor/pageworker_supervisor/intake/enqueuer.py"
PAGES = "runner/pageworker_runner/pages"
OF_RULES = "tests/sandbox/test_page_rules.py"
OF_SETS = "tests/runners/test_option_sets.py"
OF_KEY = "tests/contract/test_context_key.py"
OF_FLAVORS = "tests/runners/test_browser_flavors.py"
QUEUED = "tests/intake/test_enqueuer.py::test_a_job_is_queued_with_the_options_of_module_profile_and_job"

ROWS = (
    Mutant(
        f.WRONG_OPTIONS,
        RULES,
        "        if key not in may_set:\n",
        "        if False:\n",
        (f"{OF_RULES}::test_a_job_gives_only_what_the_module_lets_it",),
    ),
    Mutant(
        f.WRONG_OPTIONS,
        RULES,
        "job.over(profile.over(module.over(tenant)))",
        "module.over(profile.over(job.over(tenant)))",
        (f"{OF_RULES}::test_the_jobs_option_goes_over_the_profiles_and_the_modules", QUEUED),
    ),
    Mutant(
        f.WRONG_OPTIONS,
        RULES,
        '    return _digest(msgspec.json.encode(without_defaults(options), order="deterministic"))\n',
        '    return ""\n',
        (f"{OF_RULES}::test_the_digest_tells_options_apart_and_nothing_else",),
    ),
    Mutant(
        f.WRONG_OPTIONS,
        f"{RUNNERS}/option_sets.py",
        '            raise SpawnFailed("the options of its browser context are not known here any more") from None\n',
        "            return PageOptions()\n",
        (f"{OF_SETS}::test_a_browser_never_starts_without_the_options_that_its_key_names",),
    ),
    Mutant(
        f.WRONG_OPTIONS,
        f"{RUNNERS}/option_sets.py",
        "        if digest and self._options.setdefault(digest, wanted) != wanted:\n",
        "        if digest and self._options.setdefault(digest, wanted) is None:\n",
        (f"{OF_SETS}::test_two_sets_never_share_a_name",),
    ),
    Mutant(
        f.WRONG_OPTIONS,
        KEY,
        "        return self.egress + options + flavor + proxy + one_page + group + module + one_job\n",
        "        return self.egress + flavor + proxy + one_page + group + module + one_job\n",
        (f"{OF_KEY}::test_options_are_a_value_of_the_text_and_a_text_without_them_stays_readable",),
    ),
    Mutant(
        f.WRONG_OPTIONS,
        ENQUEUER,
        "            options=options_digest(options),\n",
        '            options="",\n',
        (QUEUED,),
    ),
    Mutant(
        f.WRONG_OPTIONS,
        f"{PAGES}/revert.py",
        'color_scheme=options.color_scheme or "null"',
        'color_scheme="null"',
        ("tests/runner/pages/test_revert.py::test_a_page_goes_back_to_the_options_of_its_context",),
    ),
    Mutant(
        f.WRONG_OPTIONS,
        f"{PAGES}/revert.py",
        "context.set_extra_http_headers(options.extra_http_headers or {})",
        "context.set_extra_http_headers({})",
        ("tests/runner/pages/test_revert.py::test_a_context_goes_back_to_its_options",),
    ),
    Mutant(
        f.SECRET_SHOWN,
        RULES,
        '    if key in SECRET_OPTIONS or key == "ca":\n',
        "    if False:\n",
        (f"{OF_RULES}::test_no_secret_is_shown",),
    ),
    Mutant(
        f.SECRET_SHOWN,
        OPTIONS,
        "        return f\"PageOptions({', '.join(self.given())})\"\n",
        '        return f"PageOptions({self.given()})"\n',
        ("tests/wire/test_page_options.py::test_no_value_is_shown",),
    ),
    Mutant(
        f.SECRET_SHOWN,
        f"{PAGES}/redaction.py",
        '        if isinstance(name, str) and name.lower() in self.headers and "value" in table:\n',
        "        if False:\n",
        ("tests/runner/pages/test_redaction.py::test_headers_that_authenticate_lose_their_value",),
    ),
    Mutant(
        f.SECRET_SHOWN,
        f"{PAGES}/trace_filter.py",
        '        return event.get("callId") in calls\n',
        "        return True\n",
        ("tests/runner/pages/test_trace_filter.py::test_nothing_of_another_job_is_kept",),
    ),
    Mutant(
        f.WRONG_FLAVOR,
        f"{RUNNERS}/browser_flavors.py",
        "            if context.flavor not in self.installed:\n",
        "            if False:\n",
        (f"{OF_FLAVORS}::test_a_worker_with_one_browser_uses_it_and_refuses_the_other_by_name",),
    ),
    Mutant(
        f.WRONG_FLAVOR,
        f"{RUNNERS}/browser_flavors.py",
        '        if context.flavor != "auto":\n',
        '        if context.flavor != "auto" and self.preferred == "auto":\n',
        (f"{OF_FLAVORS}::test_a_module_gets_what_it_asks_for_whatever_its_worker_prefers",),
    ),
    Mutant(
        f.WRONG_FLAVOR,
        f"{RUNNERS}/browser_flavors.py",
        'wanted: Flavor = "shell" if context.profile_id is None else "full"',
        'wanted: Flavor = "shell"',
        (f"{OF_FLAVORS}::test_auto_is_the_shell_and_for_a_profile_the_full_browser",),
    ),
    Mutant(
        f.WRONG_FLAVOR,
        KEY,
        "        return self.egress + options + flavor + proxy + one_page + group + module + one_job\n",
        "        return self.egress + options + proxy + one_page + group + module + one_job\n",
        (f"{OF_KEY}::test_the_flavor_is_a_value_of_the_text_and_auto_is_none",),
    ),
)
