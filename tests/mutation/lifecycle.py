"""A job's way: what was cancelled does not run, what expired does not begin, listings and dead letters stay bounded."""

from mutation import failures as f
from mutation.mutant import DISPATCH, INTAKE, LUA, QUEUE, Mutant

CANCEL = "tests/queue/test_inspection.py"
EXPIRY = "tests/queue/test_expiry.py"
LISTING = "tests/queue/test_listing.py"
DEAD = "tests/queue/test_retention.py"
STATES = "tests/queue/test_job_state.py"
BEGIN = "tests/worker/test_begin.py"

ROWS = (
    Mutant(
        f.WRONG_STATE,
        f"{LUA}/job.lua",
        "  if not after then\n    error(",
        "  after = after or before\n  if not after then\n    error(",
        (f"{STATES}::test_every_pair_is_as_in_the_table",),
    ),
    Mutant(
        f.WRONG_STATE,
        f"{QUEUE}/library.py",
        "        follows.setdefault(state.value, {})[event.value] = after.value\n",
        "        for event in JobEvent:\n            follows.setdefault(state.value, {})[event.value] = after.value\n",
        (f"{STATES}::test_every_pair_is_as_in_the_table",),
    ),
    Mutant(
        f.MIXED_VERSIONS,
        f"{LUA}/shard.lua",
        "  if found or call('EXISTS', Key.meta()) == 1 then\n",
        "  if false then\n",
        ("tests/queue/test_schema.py::test_another_schema_is_refused_by_name_and_nothing_is_touched",),
    ),
    Mutant(
        f.MIXED_VERSIONS,
        f"{QUEUE}/library.py",
        '    digest = hashlib.blake2b(f"{prefix}\\n{body}".encode(), digest_size=4).hexdigest()\n',
        "    digest = hashlib.blake2b(prefix.encode(), digest_size=4).hexdigest()\n",
        ("tests/queue/test_schema.py::test_two_releases_with_one_schema_share_a_redis",),
    ),
    Mutant(
        f.CANCEL_LOST,
        f"{LUA}/fn_enqueue.lua",
        "any_cancelled and Cancellation.take(new.ref)",
        "false",
        (f"{CANCEL}::test_a_job_that_comes_after_its_cancellation_ends_without_a_turn",),
    ),
    Mutant(
        f.CANCEL_LOST,
        f"{LUA}/fn_finish.lua",
        "  if job.cancel_requested and job.state ~= State.FINISHING and request.status ~= 'cancelled' then\n",
        "  if false then\n",
        (
            f"{CANCEL}::test_a_job_that_ends_just_then_ends_as_cancelled",
            f"{BEGIN}::test_what_ends_just_after_its_cancel_ends_as_cancelled",
        ),
    ),
    Mutant(
        f.CANCEL_LOST,
        f"{LUA}/job.lua",
        "  if job.cancel_requested then\n",
        "  if false then\n",
        (f"{CANCEL}::test_a_cancelled_job_that_is_put_back_does_not_run_again",),
    ),
    Mutant(
        f.CANCEL_LOST,
        f"{LUA}/cancellation.lua",
        "    if number(call('HGET', Key.cancellation_counts(), tenant)) >= CANCELLATIONS_PER_TENANT then\n",
        "    if false then\n",
        (f"{CANCEL}::test_a_tenant_that_cancels_without_end_is_refused_and_no_other",),
    ),
    Mutant(
        f.CANCEL_LOST,
        f"{DISPATCH}/attempt.py",
        "        self._guard.stop()\n",
        "",
        (
            f"{BEGIN}::test_a_cancel_holds_while_the_runner_starts",
            f"{BEGIN}::test_a_job_that_a_drain_hands_back_does_not_begin_here",
        ),
    ),
    Mutant(
        f.CANCEL_LOST,
        f"{DISPATCH}/dispatcher.py",
        "        self._cancelled_early[token] = None\n",
        "",
        (f"{BEGIN}::test_a_cancel_that_is_heard_before_the_claim_is_answered",),
    ),
    Mutant(
        f.CANCEL_LOST,
        "runner/pageworker_runner/attempts/running_attempt.py",
        "            return self.forced_result.result()\n        before = self.run.begin_before\n",
        "            pass\n        before = self.run.begin_before\n",
        ("tests/runner/attempts/test_running_attempt.py::test_a_handler_that_is_stopped_before_it_begins_does_not",),
    ),
    Mutant(
        f.CANCEL_LOST,
        f"{LUA}/wakeup.lua",
        "      pending.workers[latest] = true\n",
        "      latest = nil\n",
        (
            f"{CANCEL}::test_a_worker_without_a_free_page_writes_the_result",
            f"{EXPIRY}::test_a_worker_without_a_free_page_ends_what_expires_on_time",
        ),
    ),
    Mutant(
        f.EXPIRY_FORGOTTEN,
        f"{LUA}/job.lua",
        "    Job.expire_at(id, job.expires_at)\n",
        "    left = nil\n",
        (f"{EXPIRY}::test_put_back_before_a_handler_began_it_expires_on_time",),
    ),
    Mutant(
        f.EXPIRY_FORGOTTEN,
        f"{LUA}/job.lua",
        "  if left and left <= 0 then\n",
        "  if false then\n",
        (f"{EXPIRY}::test_put_back_after_its_time_it_is_not_queued_again",),
    ),
    Mutant(
        f.EXPIRY_FORGOTTEN,
        f"{LUA}/job.lua",
        "    call('HSET', Key.job(id), 'begun', 1)\n",
        "    job.begun = nil\n",
        (f"{EXPIRY}::test_a_job_whose_handler_began_once_does_not_expire_any_more",),
    ),
    Mutant(
        f.EXPIRY_FORGOTTEN,
        f"{LUA}/backlog.lua",
        "    if job and (Job.begins_within(job) or 1) > 0 then\n",
        "    if job then\n",
        (f"{EXPIRY}::test_more_that_expire_at_once_than_one_call_ends_do_not_start",),
    ),
    Mutant(
        f.EXPIRY_FORGOTTEN,
        f"{DISPATCH}/begin_guard.py",
        "            until = asyncio.get_running_loop().time() + self._begin_before - boot_seconds()\n",
        "            until = None\n",
        (
            "tests/dispatch/test_begin_guard.py::test_its_time_ends_the_wait",
            f"{BEGIN}::test_a_job_that_expires_while_its_runner_starts_is_answered_on_time",
        ),
    ),
    Mutant(
        f.EXPIRY_FORGOTTEN,
        f"{DISPATCH}/attempt.py",
        "        await self._settlement.running.begun(self)\n",
        "        return\n",
        (f"{BEGIN}::test_a_job_that_began_and_was_requeued_does_not_expire",),
    ),
    Mutant(
        f.EXPIRY_FORGOTTEN,
        "runner/pageworker_runner/attempts/running_attempt.py",
        "        if before is not None and time.clock_gettime(time.CLOCK_BOOTTIME) >= before:\n",
        "        if False:\n",
        (
            "tests/runner/attempts/test_running_attempt.py::test_a_handler_does_not_begin_after_its_time_and_its_page_stays_usable",
        ),
    ),
    Mutant(
        f.LISTING_SCANS,
        f"{LUA}/listing.lua",
        "tenant == '' and '-' or '[' .. tenant .. '/', tenant == '' and '+' or '(' .. tenant .. '0'",
        "'-', '+'",
        (f"{LISTING}::test_a_listing_does_not_look_at_what_it_does_not_list",),
    ),
    Mutant(
        f.LISTING_SCANS,
        f"{LUA}/fn_claim.lua",
        "  self.emptied[Listing.backlog_name(job.tenant, job.context, limit_key, job.priority)] = nil\n",
        "",
        ("tests/queue/test_shared_limits.py::test_a_backlog_that_one_claim_empties_and_fills_again_is_listed",),
    ),
    Mutant(
        f.LISTING_SCANS,
        f"{QUEUE}/listing.py",
        '    "running": ("claimed",),\n',
        '    "running": ("queued", "claimed"),\n',
        (f"{LISTING}::test_a_listing_does_not_look_at_what_it_does_not_list",),
    ),
    Mutant(
        f.LISTING_SCANS,
        f"{LUA}/fn_inspect.lua",
        "  local at = offset > 0 and call('LPOS', key, entry, 'MAXLEN', offset)\n  return at and at + 1 or 0\n",
        "  return offset\n",
        (f"{LISTING}::test_pages_go_on_though_the_backlog_is_served_meanwhile",),
    ),
    Mutant(
        f.JUNK_STAYS,
        f"{QUEUE}/producer.py",
        "opaque(raw[: options.dead_text_bytes])",
        "opaque(raw)",
        (f"{DEAD}::test_a_huge_text_is_kept_in_part_with_its_length_and_digest",),
    ),
    Mutant(
        f.JUNK_STAYS,
        f"{LUA}/dead_letter.lua",
        "      and number(call('HGET', Key.meta(), 'dead_bytes')) <= retention.dead_bytes\n",
        "",
        (f"{DEAD}::test_all_letters_together_stay_below_the_bytes",),
    ),
    Mutant(
        f.JUNK_STAYS,
        f"{LUA}/dead_letter.lua",
        "call('ZRANGE', Key.dead_weight(), 0, 0, 'REV')[1]",
        "call('ZRANGE', Key.dead_weight(), 0, 0)[1]",
        (f"{DEAD}::test_one_tenants_flood_pushes_out_its_own_letters_only",),
    ),
    Mutant(
        f.JUNK_STAYS,
        f"{INTAKE}/admission.py",
        "        if ahead > most_seconds:\n",
        "        if False:\n",
        ("tests/intake/test_admission.py::test_no_job_waits_longer_than_the_setting_allows",),
    ),
)
