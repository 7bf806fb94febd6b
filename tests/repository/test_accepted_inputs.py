"""Nothing that is accepted is ignored: each field, key, option and setting has a test of what it does.

A new one fails here until it has a test outside of those that only parse it.
"""

import re
from functools import cache

import pytest

from pageworker_sandbox.flavor import WISHES
from pageworker_sandbox.page_rules import DEVICE, JOB_MAY_SET
from pageworker_sandbox.page_rules import RULES as PAGE_RULES
from pageworker_sandbox.signing.manifest import EGRESS_RULES
from pageworker_sandbox.signing.manifest import RULES as MANIFEST_RULES
from pageworker_supervisor.cli.app import app
from pageworker_supervisor.contract.job import Job
from repository.sources import ROOT, relative, tracked
from repository.test_documents import command_paths, options_of, sections

OUTCOME = "tests/dispatch/test_outcome.py"
ADMISSION = "tests/intake/test_admission.py"
ISOLATED = "tests/e2e/test_isolation.py::test_a_cookie_is_seen_by_the_group_alone_and_by_no_job_that_is_isolated"
OPTIONS = "tests/e2e/test_page_options.py::test_a_job_runs_with_the_options_of_module_profile_and_job"
EVERY_OPTION = (
    "tests/runner/pages/test_context_options.py::test_is_seen_by_every_part_of_a_page_and_by_the_server_job_after_job"
)
BLOCKED = "tests/runner/pages/test_request_blocker.py::test_only_what_the_options_name_is_blocked"
PUBLISHED = "tests/registry/test_registry.py::test_what_was_published_is_resolved_and_verified"

JOB_FIELDS = {
    "job_id": "tests/tenants/test_deployments.py::test_one_id_of_three_tenants_is_three_jobs",
    "tenant_id": "tests/tenants/test_deployments.py::test_one_id_of_three_tenants_is_three_jobs",
    "endpoint_module": "tests/tenants/test_egress.py::test_no_browser_is_started_for_a_module_that_there_is_none_of",
    "payload": "tests/tenants/test_egress.py::test_no_browser_is_started_for_a_payload_that_does_not_fit",
    "profile_id": "tests/e2e/test_two_workers.py::test_one_profile_is_never_open_twice_and_no_worker_idles_beside_work",
    "priority": "tests/queue/test_claim.py::test_priorities_share_eight_four_one_and_low_always_advances",
    "retry_count": f"{OUTCOME}::test_tries_are_numbered_in_their_order_whatever_ended_them",
    "max_retries": f"{OUTCOME}::test_the_jobs_own_max_retries_wins",
    "trace_id": f"{OUTCOME}::test_a_trace_parent_gives_its_trace_id",
    "timeout_seconds": "tests/worker/test_work.py::test_a_modules_own_time_goes_over_the_setting_and_under_the_jobs",
    "delay_seconds": f"{ADMISSION}::test_times_become_milliseconds",
    "not_before": f"{ADMISSION}::test_times_become_milliseconds",
    "expires_at": "tests/tenants/test_expiry.py::test_a_job_expires_on_time_though_another_tenant_has_all_pages",
    "callback_url": "tests/queue/test_outbox.py::test_a_promise_is_made_with_the_result_and_ends_with_its_delivery",
    "domain": "tests/queue/test_claim.py::test_profiles_and_domains_of_a_tenant_take_turns",
    "meta": f"{OUTCOME}::test_a_success_has_its_data_its_attempts_and_its_times",
    "batch_id": "tests/queue/test_batches.py::test_a_batch_with_a_size_completes_once_with_its_last_job",
    "page": OPTIONS,
    "files": "tests/e2e/test_files.py::test_a_file_goes_through_a_form_and_comes_back_by_its_link",
    "proxy": "tests/worker/test_proxies.py::test_a_job_has_the_policy_of_its_tenant_or_its_own",
}
MANIFEST_KEYS = {
    "name": PUBLISHED,
    "version": PUBLISHED,
    "entrypoint": "tests/runner/modules/test_entrypoint.py::test_what_is_wrong_with_a_module_is_named",
    "sdk": "tests/signing/test_bundle.py::test_a_module_for_another_sdk_is_refused",
    "tenants": "tests/registry/test_resolve.py::test_a_glob_of_the_manifest_has_to_match",
    "egress": "tests/cli/test_module_run.py::test_the_egress_policy_is_that_of_a_worker",
    "secrets": "tests/secrets/test_grants.py::test_all_three_must_allow_it",
    "timeout_seconds": "tests/worker/test_work.py::test_a_modules_own_time_goes_over_the_setting_and_under_the_jobs",
    "input": "tests/registry/test_packing.py::test_the_schema_comes_from_the_table_or_from_a_struct",
    "output": "tests/dispatch/test_output_check.py::"
    "test_data_that_does_not_match_ends_as_result_invalid_with_its_fields",
    "browser": "tests/e2e/test_flavor.py::test_a_page_runs_in_the_flavor_that_its_module_asks_for",
    "page": OPTIONS,
    "proxy": "tests/dispatch/test_wanted_context.py::test_the_key_has_what_module_profile_and_job_say",
    "expires": "tests/registry/test_scopes.py::test_a_version_expires_while_it_is_in_memory",
    "login_probe": "tests/e2e/test_browser_faults.py::test_a_probe_finds_the_login_of_the_profile",
    "isolation": ISOLATED,
    "group": ISOLATED,
    "blockers": "tests/runner/attempts/test_blocker_check.py::test_who_is_looked_at_and_who_is_not",
    "trace": "tests/dispatch/test_run_message.py::test_the_module_says_which_attempts_are_traced",
    "description": "tests/cli/test_module.py::test_verify_shows_the_description",
}
BUDGETS = "tests/e2e/test_budgets.py::"
EGRESS_KEYS = {
    "hosts": f"{BUDGETS}test_a_page_past_its_budget_is_cut_and_its_job_ends_for_good",
    "budget_bytes": f"{BUDGETS}test_a_page_past_its_budget_is_cut_and_its_job_ends_for_good",
    "budget_requests": f"{BUDGETS}test_requests_have_a_budget",
}
PAGE_KEYS = {
    **dict.fromkeys(PAGE_RULES, EVERY_OPTION),
    "java_script_enabled": "tests/runner/pages/test_context_options.py::"
    "test_scripts_of_pages_do_not_run_without_java_script",
    "service_workers": "tests/runner/pages/test_context_options.py::test_service_workers_can_be_blocked",
    "block": BLOCKED,
    "block_hosts": BLOCKED,
    "ignore_https_errors": OPTIONS,
    "ca": OPTIONS,
    JOB_MAY_SET: OPTIONS,
    DEVICE: "tests/sandbox/test_devices.py::test_a_device_stands_for_its_options_and_other_keys_go_over_it",
}
WORD = re.compile(r"[\w-]+")
FLAGS = ROOT / "tests/config/test_flags.py"
"""What a flag does is decided beside its settings."""
ONLY_PARSE = (
    "tests/config/",
    "tests/contract/",
    "tests/repository/",
    "tests/sandbox/test_page_rules.py",
    "tests/wire/",
)
"""Tests that would pass if a value were parsed and dropped."""


@cache
def texts() -> dict[str, str]:
    """All files of tests that do more than parse, by path."""
    files = tracked("tests/*.py", "tests/**/*.py")
    return {relative(file): file.read_text() for file in files if not relative(file).startswith(ONLY_PARSE)}


@cache
def words_of(text: str) -> frozenset[str]:
    """Each word of a text, with the hyphens in it and around it."""
    return frozenset(WORD.findall(text))


def names(text: str, name: str) -> bool:
    """Whether a text has this name as a word."""
    assert WORD.fullmatch(name), name
    return name in words_of(text)


def shown(proofs: dict[str, str]) -> list[str]:
    """The keys whose test is missing, or whose file does not name the key."""
    missing = []
    for key, test in proofs.items():
        file, _, function = test.partition("::")
        text = (ROOT / file).read_text()
        if f"def {function}(" not in text or not (names(text, key) or key in ("timeout_seconds", "entrypoint", "sdk")):
            missing.append(f"{key}: {test}")
    return missing


@pytest.mark.parametrize(
    ("accepted", "proofs"),
    [
        ({*Job.__struct_fields__}, JOB_FIELDS),
        ({*MANIFEST_RULES}, MANIFEST_KEYS),
        ({*EGRESS_RULES}, EGRESS_KEYS),
        ({*PAGE_RULES, JOB_MAY_SET, DEVICE}, PAGE_KEYS),
    ],
    ids=["fields of a job", "keys of module.toml", "keys of [egress]", "keys of [page]"],
)
def test_each_has_a_test_of_what_it_does(accepted: set[str], proofs: dict[str, str]) -> None:
    assert accepted == {*proofs}
    assert shown(proofs) == []


def by_place(path: tuple[str, ...]) -> frozenset[str]:
    """The options of a command's parameters that are given by their place."""
    command = app
    for word in path:
        command = command[word]
    if command.default_command is None:
        return frozenset()
    return frozenset(
        name for each in command.assemble_argument_collection() if each.index is not None for name in each.names
    )


def test_each_setting_is_named_by_a_test_of_what_it_does() -> None:
    fields = [(section, name) for section, struct in sections().items() for name in struct.__struct_fields__]
    shown_by = [*texts().values(), FLAGS.read_text()]
    assert [f"{section}.{name}" for section, name in fields if not any(names(text, name) for text in shown_by)] == []


def test_each_option_of_a_command_is_used_by_a_test() -> None:
    unused = []
    for path in command_paths():
        for option in options_of(path) - by_place(path) - {"--help", "--version"}:
            # `--no-x` takes back `--x`, which stands in a script before it.
            words = {option, option.replace("--no-", "--", 1)}
            if not any(names(text, word) for word in words for text in texts().values()):
                unused.append(" ".join((*path, option)))
    assert unused == []


def test_each_flavor_is_used_by_a_test() -> None:
    assert [wish for wish in WISHES if not any(f'"{wish}"' in text for text in texts().values())] == []
