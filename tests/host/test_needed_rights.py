"""Each capability of the table is needed: without it, the kernel refuses the map of the worker's user namespace."""

import subprocess
import sys

import pytest
from pw_rights import SKIP_REASON, as_user, can_run

from pageworker_supervisor.host.rights import NEEDED, NeededCapability

pytestmark = pytest.mark.skipif(not can_run(), reason=SKIP_REASON)

MAKE = """
from pageworker_sandbox.launch.user_namespace import make
make([(2_100_000_000, 10)])
print("made")
"""


def tried(*capabilities: str) -> "subprocess.CompletedProcess[str]":
    command = as_user(sys.executable, "-c", MAKE, capabilities=capabilities)
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_all_of_them_suffice() -> None:
    done = tried(*(needed.name for needed in NEEDED))
    assert done.stdout == "made\n", done.stderr


@pytest.mark.parametrize("needed", NEEDED, ids=lambda needed: needed.name)
def test_without_one_of_them_the_map_is_refused(needed: NeededCapability) -> None:
    done = tried(*(one.name for one in NEEDED if one is not needed))
    assert done.returncode == 1
    assert "NamespaceRefused: the kernel refuses its map" in done.stderr
