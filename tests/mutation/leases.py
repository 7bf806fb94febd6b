"""Leases: a running job is leased for as long as its worker sends heartbeats, and comes back once."""

from mutation import failures as f
from mutation.mutant import LUA, QUEUE, Mutant

LEASES = "tests/queue/test_consumer.py"

REAPING = """        count = 0
        workers: set[str] = set()
        for shard in range(len(self._shards)):
            more = True
            while more:
                jitter = secrets.randbelow(1000) / 1000
                reply = unpacked(await self._shards.call(shard, "reap", limit=REAPED_PER_CALL, jitter=jitter))
                more = reply["count"] == REAPED_PER_CALL or reply["more"]
                count += reply["count"]
                workers.update(reply["workers"])
                if reply["completed"]:
                    self._outbox.announce()
"""
LOCKED_REAPING = """        count = 0
        workers: set[str] = set()
        if not await self._shards.functions.command("SET", "reaper", "1", "NX", key="reaper"):
            return Reaped(0, frozenset())
        for shard in range(len(self._shards)):
            more = True
            while more:
                jitter = secrets.randbelow(1000) / 1000
                reply = unpacked(await self._shards.call(shard, "reap", limit=REAPED_PER_CALL, jitter=jitter))
                more = reply["count"] == REAPED_PER_CALL or reply["more"]
                count += reply["count"]
                workers.update(reply["workers"])
                if reply["completed"]:
                    self._outbox.announce()
        await self._shards.functions.command("DEL", "reaper", key="reaper")
"""
"""A lock that is not needed, and that outlives its holder."""

ROWS = (
    Mutant(
        f.PREFETCH,
        f"{LUA}/fn_claim.lua",
        "while #self.leases < self.limit and self.budget > 0 do",
        "while self.budget > 0 do",
        (f"{LEASES}::test_claims_lease_only_what_is_handed_out",),
    ),
    Mutant(
        f.PREFETCH,
        f"{LUA}/claim_capacity.lua",
        "  place.free = place.free - 1\n",
        "",
        ("tests/queue/test_profiles.py::test_jobs_of_a_held_profile_wait_for_its_holder",),
    ),
    Mutant(
        f.FIXED_TIMEOUT,
        f"{LUA}/fn_lease.lua",
        "call('ZADD', Key.leases(), NOW + LEASE_MS, lease.ref)",
        "call('ZADD', Key.leases(), 'NX', NOW + LEASE_MS, lease.ref)",
        (f"{LEASES}::test_a_heartbeat_keeps_a_job_longer_than_any_fixed_timeout",),
    ),
    Mutant(
        f.REAPER_LOCK,
        f"{QUEUE}/consumer.py",
        REAPING,
        LOCKED_REAPING,
        (f"{LEASES}::test_a_reaper_that_dies_half_way_does_not_stop_the_next",),
    ),
    Mutant(
        f.REAPER_LOCK,
        f"{LUA}/profile_lock.lua",
        "  call('ZADD', Key.profile_locks(), NOW + LEASE_MS, tenant .. '/' .. profile)\n",
        "",
        ("tests/queue/test_profiles.py::test_a_lock_expires_even_if_its_claim_fails_in_the_middle",),
    ),
    Mutant(
        f.REAPER_LOCK,
        f"{LUA}/profile_lock.lua",
        "  if release and number(lock[2]) <= 1 then",
        "  if release then",
        ("tests/queue/test_profiles.py::test_the_lock_of_a_profile_that_was_not_opened_ends_with_its_last_job",),
    ),
    Mutant(
        f.RACY_RECLAIM,
        f"{LUA}/job.lua",
        """  Job.release_permits(job)
  call('ZREM', Key.leases(), id)
""",
        """  Job.release_permits(job)
""",
        (f"{LEASES}::test_two_reapers_take_a_lease_once",),
    ),
    Mutant(
        f.RACY_RECLAIM,
        f"{LUA}/job.lua",
        """  if f[1] ~= token then
    return nil
  end
""",
        "",
        (
            f"{LEASES}::test_a_silent_worker_loses_its_jobs_and_is_told_so",
            f"{LEASES}::test_a_counter_that_fell_back_matches_no_lease",
        ),
    ),
    Mutant(
        f.RACY_RECLAIM,
        f"{LUA}/fn_claim.lua",
        "job.token = job.entry .. '-' .. self.nonce",
        "job.token = 'token-of-' .. id",
        (f"{LEASES}::test_a_silent_worker_loses_its_jobs_and_is_told_so",),
    ),
    Mutant(
        f.POISON,
        f"{LUA}/job.lua",
        "if crashes >= CRASHES then",
        "if false then",
        (f"{LEASES}::test_a_job_that_keeps_killing_its_runner_is_dead_after_three",),
    ),
    Mutant(
        f.POISON,
        f"{LUA}/job.lua",
        "local crashes = call('HINCRBY', Key.job(id), 'crashes', 1)",
        "local crashes = number(call('HGET', Key.job(id), 'crashes'))",
        (
            f"{LEASES}::test_a_job_that_keeps_killing_its_runner_is_dead_after_three",
            f"{LEASES}::test_a_silent_worker_loses_its_jobs_and_is_told_so",
        ),
    ),
    Mutant(
        f.POISON,
        f"{LUA}/job.lua",
        "  job.context = Context.exclusive(job.context)\n",
        "",
        ("tests/queue/test_profiles.py::test_an_exclusive_job_without_a_profile_has_a_runner_of_its_own",),
    ),
    Mutant(
        f.NO_LEASE,
        f"{LUA}/fn_claim.lua",
        "  call('ZADD', Key.leases(), unpack(due))\n",
        "",
        (
            f"{LEASES}::test_a_running_job_is_always_leased_and_pending",
            f"{LEASES}::test_a_silent_worker_loses_its_jobs_and_is_told_so",
        ),
    ),
    Mutant(
        f.NO_LEASE,
        f"{QUEUE}/claim.py",
        "nonce = self._unread.setdefault((worker_id, shard), secrets.token_hex(6))",
        "nonce = self._unread[worker_id, shard] = secrets.token_hex(6)",
        ("tests/queue/test_functions.py::test_a_claim_whose_reply_is_lost_twice_is_repeated_by_the_next",),
    ),
)
