"""A Forget in a real runner: the version's modules and memory go, and no attempt loses the version it runs."""

import pytest
from pw_runner.bundles import handler, pack
from pw_runner.supervisor import Supervisor

from pageworker_sandbox.wire import messages as m

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MEBIBYTES = 200
BIG = handler(
    "return {}",
    name="big",
    before=f"""
    import builtins, weakref
    class Ballast:
        data = bytes(range(256)) * 4096 * {MEBIBYTES}
    BALLAST = Ballast()
    builtins.ballast = weakref.ref(BALLAST)
    """,
)
LOOK = handler(
    """
    import builtins, sys
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[1])
    return {
        "modules": [name for name in sys.modules if ".big__" in name],
        "alive": builtins.ballast() is not None,
        "mebibytes": pages * 4096 // 2**20,
    }
    """,
    name="look",
)


async def test_a_forgotten_version_leaves_neither_modules_nor_memory(runner: Supervisor) -> None:
    assert (await runner.run(BIG)).data == {}
    before = (await runner.run(LOOK)).data
    assert before["alive"]
    assert before["modules"]
    await runner.forget(BIG)
    after = (await runner.run(LOOK)).data
    assert (after["modules"], after["alive"]) == ([], False)
    assert before["mebibytes"] - after["mebibytes"] >= MEBIBYTES * 0.9
    assert (await runner.run(BIG)).data == {}, "a version that is sent again works again"


async def test_an_attempt_keeps_the_version_it_runs(runner: Supervisor) -> None:
    """The Forget is read right behind the Run, before the handler begins: only their order protects the attempt."""
    body = """
        import asyncio, builtins
        async def handler(page, payload, helpers, context):
            builtins.go_on = asyncio.Event()
            helpers.log.info("begun")
            await builtins.go_on.wait()
            import slow.late
            return {"late": slow.late.VALUE}
    """
    slow = pack({"slow/__init__.py": body, "slow/late.py": "VALUE = 1"}, name="slow", entrypoint="slow:handler")
    go_on = handler("import builtins\nbuiltins.go_on.set()\nreturn {}", name="go_on")
    attempt = await runner.begin(slow)
    await runner.forget(slow)
    await runner.until(lambda: runner.reports[attempt].logs)
    assert (await runner.run(go_on)).data == {}
    assert (await runner.finished(attempt)).data == {"late": 1}


async def test_a_run_of_a_version_that_is_not_loaded_is_a_broken_module(runner: Supervisor) -> None:
    module = handler("return {}", name="gone")
    await runner.run(module)
    await runner.send(m.Forget(name=module.name, version=module.version))
    report = await runner.run(module)
    assert (report.failure.type, report.failure.message) == ("module_broken", "gone@1.0.0 was not sent to this runner")
