"""Fairness and permits: a job that may not run blocks no other job; a job that may run does not wait."""

from mutation import failures as f
from mutation.mutant import LUA, Mutant

LIMITS = "tests/queue/test_quota_limits.py"
WAITING = "tests/queue/test_wakeup.py"

ROWS = (
    Mutant(
        f.THROTTLED,
        f"{LUA}/tenant.lua",
        """  if reason then
    call('ZREM', Key.active(), tenant)
""",
        """  if reason then
""",
        (f"{LIMITS}::test_claims_do_not_look_past_those_that_cannot_run",),
    ),
    Mutant(
        f.THROTTLED,
        f"{LUA}/fn_claim.lua",
        """    Tenant.reschedule(tenant)
    self.skipped[tenant] = true
  end
end
""",
        """    Tenant.reschedule(tenant)
    self.budget = 0
  end
end
""",
        (f"{LIMITS}::test_a_tenant_at_its_concurrency_blocks_no_other_tenant",),
    ),
    Mutant(
        f.THROTTLED,
        f"{LUA}/domain.lua",
        """    if not Tenant.is_parked(tenant) then
      wanted = wanted - 1
    end
""",
        """    wanted = wanted - 1
""",
        (f"{LIMITS}::test_a_free_domain_does_not_wait_for_a_tenant_that_may_not_run",),
    ),
    Mutant(
        f.SEMAPHORE,
        f"{LUA}/job.lua",
        """  Job.release_permits(job)
  call('ZREM', Key.leases(), id)
""",
        """  call('ZREM', Key.leases(), id)
""",
        (f"{LIMITS}::test_a_permit_comes_back_once_however_a_lease_ends",),
    ),
    Mutant(
        f.SEMAPHORE,
        f"{LUA}/fn_finish.lua",
        "  Job.release_permits(job)\n",
        "",
        (f"{LIMITS}::test_a_permit_comes_back_once_however_a_lease_ends",),
    ),
    Mutant(
        f.SEMAPHORE,
        f"{LUA}/job.lua",
        """  if job.token == token then
    return job
  end
""",
        """  if job then
    return job
  end
""",
        (f"{LIMITS}::test_a_permit_comes_back_once_however_a_lease_ends",),
    ),
    Mutant(
        f.SEMAPHORE,
        f"{LUA}/job.lua",
        """  if job.state ~= State.RUNNING then
    return
  end
  Tenant.release_permit(job.tenant)
""",
        """  Tenant.release_permit(job.tenant)
""",
        ("tests/queue/test_consumer.py::test_an_ending_job_whose_worker_dies_goes_to_another_uncharged",),
    ),
    Mutant(
        f.FLOOD,
        f"{LUA}/job.lua",
        "Key.delayed(), '-inf', NOW, 'LIMIT', 0, SLICE)",
        "Key.delayed(), '-inf', NOW)",
        ("tests/queue/test_growth.py::test_a_flood_that_is_due_at_once_stalls_no_other_tenant",),
    ),
    Mutant(
        f.STALL,
        f"{LUA}/tenant.lua",
        """  if call('HGET', Key.tenant(tenant), 'parked') == 'concurrency' then
    Tenant.reschedule(tenant)
  end
""",
        "",
        (
            f"{LIMITS}::test_a_tenant_at_its_concurrency_blocks_no_other_tenant",
            f"{WAITING}::test_a_released_permit_wakes_a_worker_that_can_use_it",
        ),
    ),
    Mutant(
        f.STALL,
        f"{LUA}/fn_claim.lua",
        "    Wakeup.wake_for_rest(self.full)\n",
        "",
        (f"{WAITING}::test_a_bulk_of_jobs_wakes_several_workers_and_these_wake_the_rest",),
    ),
    Mutant(
        f.STALL,
        f"{LUA}/fn_claim.lua",
        "  return at ~= 0 and max(0, at - NOW) or nil\n",
        "  return nil\n",
        (
            f"{WAITING}::test_a_refill_wakes_a_throttled_tenants_worker",
            f"{WAITING}::test_a_delayed_job_wakes_its_worker_when_it_is_due",
        ),
    ),
    Mutant(
        f.STALL,
        "supervisor/pageworker_supervisor/queue/claim.py",
        "            await self._waiting.wake(worker_id, self._waiting.outgrown(worker_id))\n",
        "            return\n",
        (f"{WAITING}::test_a_claim_that_leaves_more_capacity_changes_what_is_waited_for",),
    ),
)
