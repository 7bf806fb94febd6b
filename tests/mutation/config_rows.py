"""What keeps workers on one configuration, and their jobs undisturbed by its changes."""

from mutation import failures as f
from mutation.mutant import LUA, RUNNERS, SUPERVISOR, Mutant

PROTOCOL = f"{LUA}/fn_config.lua"
STORE = "tests/queue/test_config_store.py"
LIVE = "tests/worker/test_live_settings.py::test_a_runner_with_other_terms_finishes_its_job_and_takes_no_more"

ROWS = (
    Mutant(
        f.CONFIG_SPLIT,
        PROTOCOL,
        "  if some_refused then\n",
        "  if false then\n",
        (f"{STORE}::test_one_refusal_keeps_the_old_version_and_all_reasons",),
    ),
    Mutant(
        f.CONFIG_SPLIT,
        PROTOCOL,
        "  elseif missing and not some_agreed then\n",
        "  elseif false then\n",
        (f"{STORE}::test_a_change_that_no_worker_checked_is_refused",),
    ),
    Mutant(
        f.CONFIG_SPLIT,
        PROTOCOL,
        "  if request.base ~= meta.version then\n",
        "  if false then\n",
        (f"{STORE}::test_a_proposal_on_an_old_version_is_stale",),
    ),
    Mutant(
        f.CONFIG_SPLIT,
        PROTOCOL,
        "  if meta.version < request.version then\n",
        "  if false then\n",
        (f"{STORE}::test_data_that_redis_lost_is_restored_by_a_worker",),
    ),
    Mutant(
        f.CONFIG_SPLIT,
        PROTOCOL,
        "    Config.fill_hash(meta.values)\n",
        "",
        (f"{STORE}::test_a_refused_edit_is_taken_back",),
    ),
    Mutant(
        f.CONFIG_TRUST,
        f"{SUPERVISOR}/config/central_document.py",
        "    if reload_of(path) is LOCAL:\n",
        "    if False:\n",
        ("tests/config/test_central_document.py::test_a_mistake_is_named_and_not_part_of_the_layer",),
    ),
    Mutant(
        f.CONFIG_DISTURBS,
        f"{RUNNERS}/fleet.py",
        '                runner.retire("its settings have changed", restart="retired")\n',
        '                runner.kill("its settings have changed", charged=False)\n',
        (LIVE,),
    ),
    Mutant(
        f.CONFIG_DISTURBS,
        f"{RUNNERS}/fleet.py",
        '                runner.retire("its settings have changed", restart="retired")\n',
        "                pass\n",
        (LIVE,),
    ),
)
