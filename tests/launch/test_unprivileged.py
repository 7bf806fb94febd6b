"""Sandboxes without root: an ordinary user starts, verifies and measures them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pw_sandbox import sandboxes, uids

pytestmark = [pytest.mark.sandbox, pytest.mark.browser]
CHECKOUT = Path(__file__).resolve().parents[2]
USER = uids.FIRST_UID + 1
SEEN = "/mnt"
SOURCES = ("supervisor", "sandbox", "runner", "profiles", "tests")
# Other users may have no access to root's checkout. So it is bind-mounted at /mnt, in a private mount namespace.
AS_USER = f"""
mount --bind {CHECKOUT} {SEEN}
mount -t tmpfs -o mode=1777 tmpfs /tmp
cd {SEEN}/tests
exec setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --bounding-set -all "$@"
"""


def run(*arguments: str) -> subprocess.Popen[str]:
    """Run a Python program as an ordinary user. Without root that is the present user."""
    python = [sys.executable, "-B", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp"}
    if os.geteuid() == 0:
        python[0] = str(Path(SEEN, Path(sys.executable).relative_to(CHECKOUT)))
        environment["PYTHONPATH"] = ":".join(f"{SEEN}/{folder}" for folder in SOURCES)
        python = ["unshare", "--mount", "sh", "-ec", AS_USER, "sh", *python]
    return subprocess.Popen(python, stdout=subprocess.PIPE, text=True, env=environment, cwd=CHECKOUT / "tests")


@pytest.mark.parametrize("browser", [sandboxes.FULL, sandboxes.HEADLESS], ids=lambda path: path.name)
def test_an_ordinary_user_has_the_same_sandbox(browser: Path, tmp_path: Path) -> None:
    profile = "/tmp/profile" if os.geteuid() == 0 else str(tmp_path / "profile")
    with run("-m", "pw_sandbox.supervisor", profile, str(browser)) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.kill()
    assert told["version"]
    proof = told["proof"]
    assert proof["uid"] == str(USER if os.geteuid() == 0 else os.getuid())
    assert (proof["no_new_privs"], proof["seccomp"], proof["seccomp_filters"]) == ("1", "2", "2")
    assert int(proof["cap_eff"], 16) == 0
    assert told["memory"] > 50_000_000


def test_the_checks_are_all_good_for_it() -> None:
    code = "from pageworker_sandbox.launch import checks; print([c for c in checks() if not c.ok])"
    with run("-c", code) as process:
        assert process.stdout is not None
        assert process.stdout.read().strip() == "[]"


def test_only_processes_of_the_sandbox_count_against_its_limit(tmp_path: Path) -> None:
    profile = "/tmp/profile" if os.geteuid() == 0 else str(tmp_path / "profile")
    code = (
        f"profile = {profile!r}"
        """
import asyncio, pathlib
from pw_sandbox import sandboxes
async def main():
    spec = sandboxes.spec(pathlib.Path(profile), processes=64)
    async with sandboxes.sandbox(sandboxes.host(sandboxes.HEADLESS), spec) as inside:
        print(await inside.run('''
import os, signal
children = []
try:
    while len(children) < 500:
        child = os.fork()
        if child == 0: signal.pause(); os._exit(0)
        children.append(child)
except OSError as error:
    answer = [error.errno, len(children)]
'''))
asyncio.run(main())
"""
    )
    with run("-c", code) as process:
        assert process.stdout is not None
        number, count = json.loads(process.stdout.read())
    assert number == 11
    assert 32 < count < 64


def test_an_author_without_root_runs_a_module_from_its_folder() -> None:
    checkout = SEEN if os.geteuid() == 0 else str(CHECKOUT)
    words = ["module", "run", f"{checkout}/examples/demo_echo", "--payload", '{"text": "x"}', "--json"]
    with run("-c", f"import sys; from pageworker_supervisor.cli.app import run; sys.exit(run({words!r}))") as process:
        assert process.stdout is not None
        result = json.loads(process.stdout.read())
    assert (process.returncode, result["status"]) == (0, "succeeded")
