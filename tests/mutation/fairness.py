"""Fairness and permits: a job that may not run blocks no other job; a job that may run does not wait."""

from mutation import failures as f
from mutation.mutant import LUA, Mutant

LIMITS = "tests/queue/test_quota_limits.py"
COST = "tests/queue/test_cost.py"
CAP = "tests/queue/test_backlog_cap.py"
SHARED = "tests/queue/test_shared_limits.py"
CHANGED = "tests/queue/test_limits_in_force.py"
WAITING = "tests/queue/test_wakeup.py"

ROWS = (
    Mutant(
        f.THROTTLED,
        f"{LUA}/fn_claim.lua",
        """      self:move_to_module(id, job, module)
      id = nil
""",
        """      Backlog.unpop(id, job, limit_key)
      self.skipped[tenant] = true
      return
""",
        (f"{SHARED}::test_limits_that_come_after_the_job_count_for_it",),
    ),
    Mutant(
        f.THROTTLED,
        f"{LUA}/module.lua",
        "  return LimitsTable.module(job.module) and job.module or nil\n",
        "  return nil\n",
        (f"{SHARED}::test_a_modules_concurrency_holds_for_all_tenants_and_stops_no_other_module",),
    ),
    Mutant(
        f.THROTTLED,
        f"{LUA}/fn_claim.lua",
        """    self.skipped[job.tenant] = true
    self.more = true
""",
        "",
        (f"{SHARED}::test_a_long_backlog_of_a_module_that_is_used_up_delays_no_other_tenant",),
    ),
    Mutant(
        f.SEMAPHORE,
        f"{LUA}/job.lua",
        "      Fleet.release_permit()\n",
        "",
        (f"{SHARED}::test_a_shared_permit_comes_back_once_however_a_lease_ends",),
    ),
    Mutant(
        f.SEMAPHORE,
        f"{LUA}/job.lua",
        "      Module.release(job.module, job.tenant)\n",
        "",
        (f"{SHARED}::test_a_shared_permit_comes_back_once_however_a_lease_ends",),
    ),
    Mutant(
        f.SEMAPHORE,
        f"{LUA}/module.lua",
        "  if quota.running <= 1 and not quota.parked and Limits.is_full(quota) then\n",
        "  if quota.running <= 1 and not quota.parked then\n",
        (f"{SHARED}::test_a_module_that_runs_no_job_is_forgotten_once_its_tokens_are_full",),
    ),
    Mutant(
        f.STALL,
        f"{LUA}/fn_claim.lua",
        "    if self.fleet_taken then\n",
        "    if self.fleet then\n",
        (f"{SHARED}::test_a_job_that_only_ends_takes_no_permit_of_the_fleet",),
    ),
    Mutant(
        f.SEMAPHORE,
        f"{LUA}/fn_enqueue.lua",
        "  Fleet.recount()\n",
        "",
        (f"{SHARED}::test_jobs_that_run_already_count_for_new_limits",),
    ),
    Mutant(
        f.STALL,
        f"{LUA}/fleet.lua",
        "  call('HINCRBY', Key.fleet(), 'running', '-1')\n  Fleet.wake()\n",
        "  call('HINCRBY', Key.fleet(), 'running', '-1')\n",
        (f"{SHARED}::test_a_released_fleet_permit_wakes_a_worker_that_waits",),
    ),
    Mutant(
        f.STALL,
        f"{LUA}/fn_enqueue.lua",
        "  Tenant.apply_limits(before)\n",
        "",
        (
            f"{CHANGED}::test_new_limits_govern_jobs_that_wait_already",
            f"{CHANGED}::test_a_raised_weight_shows_within_two_claims",
        ),
    ),
    Mutant(
        f.STALL,
        f"{LUA}/fn_enqueue.lua",
        "  Domain:apply_limits()\n",
        "",
        (f"{CHANGED}::test_a_raised_domain_limit_lets_backlogs_come_back",),
    ),
    Mutant(
        f.LONG_JOBS,
        f"{LUA}/fn_claim.lua",
        """  quota.virtual_time = start + grows
  self:advance_tenant(quota)
  return true
""",
        """  return false
""",
        (f"{COST}::test_a_running_job_is_charged_before_it_ends",),
    ),
    Mutant(
        f.LONG_JOBS,
        f"{LUA}/tenant.lua",
        "    quota.charged_ms = quota.charged_ms - took\n",
        "    quota.charged_ms = quota.charged_ms - Tenant.LEAST_MS\n",
        (f"{COST}::test_however_a_lease_ends_it_is_charged_once",),
    ),
    Mutant(
        f.LONG_JOBS,
        f"{LUA}/job.lua",
        "    call('HINCRBY', Key.job(id), 'page_ms', max(0, NOW - job.started_at))\n",
        "",
        (f"{COST}::test_a_later_lease_knows_what_the_earlier_ones_took",),
    ),
    Mutant(
        f.BACKLOG_GROWS,
        f"{LUA}/tenant.lua",
        "  local fits = not cap or (jobs <= cap.jobs and bytes <= cap.bytes)\n",
        "  local fits = not cap or jobs <= cap.jobs\n",
        (f"{CAP}::test_a_job_beyond_the_bytes_is_refused",),
    ),
    Mutant(
        f.BACKLOG_GROWS,
        f"{LUA}/tenant.lua",
        "  local fits = not cap or (jobs <= cap.jobs and bytes <= cap.bytes)\n",
        "  local fits = not cap or bytes <= cap.bytes\n",
        (f"{CAP}::test_a_job_beyond_the_number_is_refused_until_another_ends",),
    ),
    Mutant(
        f.BACKLOG_GROWS,
        f"{LUA}/tenant.lua",
        "    quota.jobs, quota.bytes = quota.jobs - 1, quota.bytes - size\n",
        "    quota.jobs, quota.bytes = quota.jobs - 1, quota.bytes\n",
        (f"{CAP}::test_a_job_beyond_the_bytes_is_refused",),
    ),
    Mutant(
        f.BACKLOG_GROWS,
        f"{LUA}/tenant.lua",
        "  if told and level < TELL_AGAIN_BELOW then\n",
        "  if told and level < TELL_FROM then\n",
        (f"{CAP}::test_a_tenant_is_told_once_each_time_its_backlog_becomes_nearly_full",),
    ),
    Mutant(
        f.LIMITS_FLAP,
        f"{LUA}/fn_enqueue.lua",
        "  if version and version > request.version then\n",
        "  if false then\n",
        (f"{CHANGED}::test_a_lower_version_never_replaces_a_higher_one",),
    ),
    Mutant(
        f.LIMITS_FLAP,
        "supervisor/pageworker_supervisor/dispatch/limits_watch.py",
        "    if any(other is None or other.version < own.version for other in found):\n",
        "    if any(other != own for other in found):\n",
        ("tests/dispatch/test_limits_watch.py::test_what_is_in_force_is_compared",),
    ),
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
        f"{LUA}/shared_quota.lua",
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
        "  Job.release_permits(job, true, request.release_profile)\n",
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
    if ends then
""",
        """  if false then
    if ends then
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
        """  if quota.parked == 'concurrency' then
    Tenant.reschedule(tenant)
  elseif""",
        """  if""",
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
