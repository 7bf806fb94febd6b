"""Streams and their groups: nothing stays in them, nothing is cut out of them unread."""

from mutation import failures as f
from mutation.mutant import INTAKE, LUA, Mutant

LEASES = "tests/queue/test_consumer.py"
ARRIVAL = "tests/intake/test_intake.py"

ROWS = (
    Mutant(
        f.XACK_ONLY,
        f"{LUA}/fn_finish.lua",
        "  call('XDEL', Key.ready(), job.entry)\n",
        "",
        (f"{LEASES}::test_finished_entries_leave_the_stream",),
    ),
    Mutant(
        f.XACK_ONLY,
        f"{LUA}/job.lua",
        "  call('XDEL', Key.ready(), job.entry)\n",
        "",
        (f"{LEASES}::test_what_is_requeued_is_next",),
    ),
    Mutant(
        f.XACK_ONLY,
        f"{INTAKE}/stream_source.py",
        "  redis.call('XDEL', KEYS[1], ARGV[at])\n",
        "",
        (f"{ARRIVAL}::test_one_id_is_one_job_whichever_way_it_comes",),
    ),
    Mutant(
        f.TRIMMED,
        f"{LUA}/fn_claim.lua",
        "call('XADD', Key.ready(), '*', 'job', id)",
        "call('XADD', Key.ready(), 'MAXLEN', 4, '*', 'job', id)",
        (f"{LEASES}::test_a_running_job_is_always_leased_and_pending",),
    ),
    Mutant(
        f.TRIMMED,
        f"{INTAKE}/stream_source.py",
        "local last_ms = tonumber(string.match(ARGV[#ARGV]",
        "redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)\nlocal last_ms = tonumber(string.match(ARGV[#ARGV]",
        (f"{ARRIVAL}::test_each_source_keeps_its_order",),
    ),
    Mutant(
        f.DEAD_NAMES,
        f"{LUA}/fn_workers.lua",
        "  call('XGROUP', 'DELCONSUMER', Key.ready(), GROUP, worker)\n",
        "",
        (f"{LEASES}::test_names_of_dead_workers_do_not_stay",),
    ),
    Mutant(
        f.DEAD_NAMES,
        f"{LUA}/fn_lease.lua",
        "  Shard.forget_silent_workers()\n",
        "",
        (f"{LEASES}::test_names_of_dead_workers_do_not_stay",),
    ),
    Mutant(
        f.DEAD_NAMES,
        f"{INTAKE}/common_sources.py",
        "            await self._stream.forget_silent()\n",
        "            return\n",
        (f"{ARRIVAL}::test_names_of_dead_workers_are_removed",),
    ),
    Mutant(
        f.NOGROUP,
        f"{LUA}/fn_claim.lua",
        "    call('XGROUP', 'CREATE', ready, GROUP, before)\n",
        "",
        (f"{LEASES}::test_a_lost_group_is_made_again_and_nothing_of_it_is_lost",),
    ),
    Mutant(
        f.NOGROUP,
        f"{INTAKE}/stream_source.py",
        "self._once_more = once_more({GroupMissing: self._create_group})",
        "self._once_more = once_more({})",
        (f"{ARRIVAL}::test_a_deleted_group_is_created_again",),
    ),
    Mutant(
        f.RACY_RECLAIM,
        f"{INTAKE}/processing_list.py",
        "if heartbeat > redis.call('TIME')[1] - ARGV[5] then\n  return {}\nend\n",
        "",
        ("tests/intake/test_faults.py::test_a_worker_that_sends_a_heartbeat_again_keeps_its_texts",),
    ),
)
