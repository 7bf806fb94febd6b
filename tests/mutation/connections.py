"""Connections: a failover is noticed, a lost reply is asked for, a cancelled command leaves nothing behind."""

from mutation import failures as f
from mutation.mutant import CLIENT, INTAKE, Mutant

TROUBLE = "tests/queue/test_functions.py"

ROWS = (
    Mutant(
        f.SILENT,
        f"{CLIENT}/errors.py",
        '    ("UNBLOCKED", "Redis ended a blocking call", RedisUnavailable),\n',
        "",
        (f"{TROUBLE}::test_an_unblocked_wait_is_unavailable_and_not_a_bug",),
    ),
    Mutant(
        f.SILENT,
        f"{CLIENT}/fan_out.py",
        "                await asyncio.wait(children)\n",
        "                pass\n",
        ("tests/redis_client/test_fan_out.py::test_a_failure_leaves_its_caller_uncancelled",),
    ),
    Mutant(
        f.SILENT,
        f"{INTAKE}/intake.py",
        "                await availability.retry_until_available(step, steps.suspect)\n",
        "                await availability.retry_until_available(step)\n",
        ("tests/intake/test_faults.py::test_a_lost_reply_loses_no_job[BLMOVE-timing1]",),
    ),
    Mutant(
        f.SILENT,
        f"{CLIENT}/clients.py",
        '            "socket_timeout": socket_timeout,\n',
        "",
        ("tests/redis_client/test_clients.py::test_a_block_ends_though_the_network_drops_everything",),
    ),
    Mutant(
        f.SILENT,
        f"{CLIENT}/availability.py",
        "            self._failures += 1\n            if isinstance(error, Denied)",
        "            return\n            if isinstance(error, Denied)",
        ("tests/redis_client/test_availability.py::test_comes_back_with_the_first_probe_that_is_answered",),
    ),
    Mutant(
        f.DESYNC,
        f"{CLIENT}/connections.py",
        "    async def send_packed_command(",
        """    async def read_response(self, *args: Any, **options: Any) -> Any:
        return await super().read_response(*args, **(options | {"disconnect_on_error": False}))

    async def send_packed_command(""",
        ("tests/redis_client/test_client.py::test_a_cancelled_command_leaves_no_reply_for_the_next",),
    ),
    Mutant(
        f.NOGROUP,
        f"{CLIENT}/availability.py",
        "            await asyncio.sleep(random.uniform(0, longest_delay(self._failures)))\n",
        "",
        ("tests/redis_client/test_availability.py::test_failures_soon_after_coming_up_keep_the_delay_growing",),
    ),
    Mutant(
        f.DESYNC,
        f"{CLIENT}/cluster.py",
        """            await connection.disconnect(nowait=True)
            raise
        finally:
""",
        """            raise
        finally:
""",
        ("tests/queue/test_cluster.py::test_a_cancelled_function_call_leaves_no_reply",),
    ),
)
