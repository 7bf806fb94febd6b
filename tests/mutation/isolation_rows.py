"""Isolation of jobs within a tenant, the age of what they share, and admission by load."""

from mutation import failures as f
from mutation.mutant import LUA, RUNNERS, SUPERVISOR, Mutant

KEY = "tests/contract/test_context_key.py"
WORKER = "tests/worker/test_isolation.py"
PLACEMENT = "tests/runners/test_placement_bounds.py"
LEVELS = "tests/host/test_load_level.py"

ROWS = (
    Mutant(
        f.NOT_ISOLATED,
        f"{SUPERVISOR}/contract/context_key.py",
        " + proxy + one_page + group + module + one_job\n",
        " + proxy + one_page\n",
        (f"{KEY}::test_isolation_is_values_of_the_text",),
    ),
    Mutant(
        f.NOT_ISOLATED,
        f"{RUNNERS}/runner.py",
        "        if self.context.isolation.one_job:\n",
        "        if False:\n",
        (f"{WORKER}::test_each_job_of_an_isolating_module_has_a_runner_of_its_own",),
    ),
    Mutant(
        f.NOT_ISOLATED,
        f"{SUPERVISOR}/config/module_isolation.py",
        '        alone = "module" in (manifest.isolation, self._modules.value.isolation)\n',
        '        alone = manifest.isolation == "module"\n',
        (f"{WORKER}::test_the_operators_least_isolation_separates_modules_from_the_next_job_on",),
    ),
    Mutant(
        f.NOT_ISOLATED,
        f"{SUPERVISOR}/config/module_isolation.py",
        "            if profile_id is not None:\n",
        "            if False:\n",
        (f"{WORKER}::test_a_profile_is_rejected_by_name_where_each_job_is_alone",),
    ),
    Mutant(
        f.NOT_ISOLATED,
        f"{LUA}/browser_context.lua",
        " or string.find(ended, '+j+', 1, true) ~= nil\n",
        "\n",
        ("tests/queue/test_claim.py::test_jobs_of_one_job_contexts_get_a_slot_each_and_others_share",),
    ),
    Mutant(
        f.NOT_ISOLATED,
        f"{RUNNERS}/ephemeral_age.py",
        "now - slot.since >= most_seconds]\n",
        "now - slot.since >= most_seconds and not slot.taken]\n",
        ("tests/runners/test_ephemeral_age.py::test_who_goes",),
    ),
    Mutant(
        f.PHANTOM,
        f"{RUNNERS}/placement.py",
        "        return not self.one_job and not self.storing and (self.coming_up or self.recycling > 0)\n",
        "        return not self.storing and (self.coming_up or self.recycling > 0)\n",
        (f"{PLACEMENT}::test_a_one_job_runner_that_starts_holds_up_no_other_job_of_its_context",),
    ),
    Mutant(
        f.LOAD_FLAPS,
        f"{SUPERVISOR}/host/load_level.py",
        "        return min(level, LoadLevel.NO_NEW_RUNNERS)\n",
        "        return LoadLevel.OPEN\n",
        (f"{LEVELS}::test_a_load_that_wavers_by_less_than_the_marks_differ_never_flaps",),
    ),
    Mutant(
        f.LOAD_FLAPS,
        f"{SUPERVISOR}/host/load_level.py",
        "        return max(level, LoadLevel.NO_NEW_RUNNERS)\n",
        "        return LoadLevel.NO_NEW_RUNNERS\n",
        (f"{LEVELS}::test_each_mark_begins_and_ends_a_level",),
    ),
    Mutant(
        f.LOAD_FLAPS,
        f"{RUNNERS}/fleet.py",
        "        return without_jobs(found) if self._level is LoadLevel.NO_JOBS else found\n",
        "        return found\n",
        ("tests/worker/test_admission.py::test_a_worker_above_the_last_mark_claims_nothing_and_is_not_ready",),
    ),
)
