"""The worker around the queue: its runners, its drain, its ear."""

from mutation import failures as f
from mutation.mutant import DISPATCH, RUNNERS, SUPERVISOR, Mutant

WORK = "tests/worker/test_work.py"
RESERVATION = "tests/runners/test_page_reservation.py"

ROWS = (
    Mutant(
        f.SCALE_DOWN,
        f"{DISPATCH}/dispatcher.py",
        "                while self.busy:\n",
        "                while False:\n",
        (f"{WORK}::test_a_drain_lets_everything_finish_that_runs",),
    ),
    Mutant(
        f.SCALE_DOWN,
        f"{DISPATCH}/dispatcher.py",
        "        self.draining = True\n",
        "",
        (f"{WORK}::test_a_drain_lets_everything_finish_that_runs",),
    ),
    Mutant(
        f.SCALE_DOWN,
        f"{DISPATCH}/dispatcher.py",
        '        left = await self._requeue_all("the worker is drained")\n',
        "        left = 0\n",
        (f"{WORK}::test_what_is_left_at_the_drains_deadline_is_requeued_uncharged",),
    ),
    Mutant(
        f.SCALE_DOWN,
        f"{RUNNERS}/placement.py",
        "slot.open and not slot.taken and now >=",
        "slot.open and now >=",
        ("tests/runners/test_placement.py::test_a_busy_runner_is_not_replaced_for_another_tenant",),
    ),
    Mutant(
        f.FIXED_TIMEOUT,
        f"{DISPATCH}/heartbeat.py",
        "                await self._availability.retry_until_available(lambda: self._send(tasks))\n",
        "                pass\n",
        (f"{WORK}::test_a_job_outlives_many_leases",),
    ),
    Mutant(
        f.RACY_RECLAIM,
        f"{DISPATCH}/heartbeat.py",
        "                tasks.create_task(attempt.contain(attempt.on_lease_lost()))\n",
        "                continue\n",
        (f"{WORK}::test_a_worker_that_lost_its_lease_stops_the_work",),
    ),
    Mutant(
        f.PHANTOM,
        f"{RUNNERS}/page_reservation.py",
        "        if not self._in_use:\n",
        "        if False:\n",
        (f"{RESERVATION}::test_a_page_that_no_attempt_used_is_released_at_the_end_of_the_block",),
    ),
    Mutant(
        f.PHANTOM,
        f"{SUPERVISOR}/runners/fleet.py",
        """            del self.runners[runner.runner_id]
            self._terms""",
        """            self._terms""",
        (f"{WORK}::test_a_runner_that_died_takes_no_place",),
    ),
    Mutant(
        f.PHANTOM,
        f"{SUPERVISOR}/runners/runner.py",
        "            self._pages.lose(lost)\n",
        "",
        (f"{WORK}::test_a_runner_that_died_takes_no_place",),
    ),
    Mutant(
        f.SILENT,
        f"{DISPATCH}/dispatcher.py",
        "                    lambda: self._queue.wait(self._name, NOTICE_WAIT_SECONDS), self._work.set\n",
        "                    lambda: self._queue.wait(self._name, NOTICE_WAIT_SECONDS)\n",
        (f"{WORK}::test_what_was_pushed_while_redis_was_away_is_not_slept_through",),
    ),
)
