"""The worker around the queue: its runners, its drain, its ear."""

from mutation import failures as f
from mutation.mutant import DISPATCH, RUNNERS, SUPERVISOR, Mutant

WORK = "tests/worker/test_work.py"

ROWS = (
    Mutant(
        f.SCALE_DOWN,
        f"{SUPERVISOR}/worker.py",
        "                while components.dispatcher.busy:\n",
        "                while False:\n",
        (f"{WORK}::test_a_drain_lets_everything_finish_that_runs",),
    ),
    Mutant(
        f.SCALE_DOWN,
        f"{SUPERVISOR}/worker.py",
        "        components.dispatcher.draining = True\n",
        "",
        (f"{WORK}::test_a_drain_lets_everything_finish_that_runs",),
    ),
    Mutant(
        f.SCALE_DOWN,
        f"{SUPERVISOR}/worker.py",
        '        left = await components.dispatcher.requeue_all("the worker is drained")\n',
        "        left = 0\n",
        (f"{WORK}::test_what_is_left_at_the_drains_deadline_is_handed_back_uncharged",),
    ),
    Mutant(
        f.SCALE_DOWN,
        f"{RUNNERS}/placement.py",
        "seat.open and not seat.taken and now >=",
        "seat.open and now >=",
        ("tests/dispatch/test_placement.py::test_nobody_at_work_is_sent_away_for_another_tenant",),
    ),
    Mutant(
        f.FIXED_TIMEOUT,
        f"{DISPATCH}/heartbeat.py",
        "                await self._availability.retry_until_available(lambda: self._beat(tasks))\n",
        "                pass\n",
        (f"{WORK}::test_a_job_outlives_many_leases",),
    ),
    Mutant(
        f.RACY_RECLAIM,
        f"{DISPATCH}/heartbeat.py",
        "                tasks.create_task(attempt.on_lease_lost())\n",
        "                continue\n",
        (f"{WORK}::test_a_worker_that_lost_its_lease_stops_the_work",),
    ),
    Mutant(
        f.PHANTOM,
        f"{DISPATCH}/attempt.py",
        "            if self.runner is not None and self.running is None:\n",
        "            if False:\n",
        (f"{WORK}::test_a_job_that_never_ran_gives_its_page_back",),
    ),
    Mutant(
        f.PHANTOM,
        f"{SUPERVISOR}/runners/fleet.py",
        """            del self.runners[runner.runner_id]
            self._gone.set()
            if""",
        """            self._gone.set()
            if""",
        (f"{WORK}::test_a_runner_that_died_takes_no_place",),
    ),
    Mutant(
        f.PHANTOM,
        f"{SUPERVISOR}/runners/runner.py",
        "                running.lose(self._end or RunnerLost(reason, charged=True))\n",
        "                continue\n",
        (f"{WORK}::test_a_runner_that_died_takes_no_place",),
    ),
    Mutant(
        f.SILENT,
        f"{DISPATCH}/notifications.py",
        "                    lambda: self._queue.wait(self._worker_id, WAIT_SECONDS), self._signals.work.set\n",
        "                    lambda: self._queue.wait(self._worker_id, WAIT_SECONDS)\n",
        (f"{WORK}::test_what_was_pushed_while_redis_was_away_is_not_slept_through",),
    ),
)
