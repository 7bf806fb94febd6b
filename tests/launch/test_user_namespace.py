"""The worker's user namespace: its map, and what a user without any capability may do in it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from pw_rights import SKIP_REASON, USER, as_user, can_run

from pageworker_sandbox.launch.user_namespace import MAX_ROWS, map_text

FIRST = 2_100_000_000


def test_each_id_stands_for_itself() -> None:
    assert map_text(987, [(FIRST, 500)]) == f"987 987 1\n{FIRST} {FIRST} 500\n"


@pytest.mark.parametrize(
    ("own", "ranges", "rows"),
    [
        (FIRST, [(FIRST, 3)], [(FIRST, 1), (FIRST + 1, 2)]),
        (FIRST + 1, [(FIRST, 3)], [(FIRST + 1, 1), (FIRST, 1), (FIRST + 2, 1)]),
        (1, [(10, 5), (12, 5), (10, 5)], [(1, 1), (10, 5), (15, 2)]),
        (1, [(12, 2), (10, 6)], [(1, 1), (12, 2), (10, 2), (14, 2)]),
    ],
    ids=["begins with it", "around it", "overlap", "within"],
)
def test_an_id_is_mapped_once(own: int, ranges: list[tuple[int, int]], rows: list[tuple[int, int]]) -> None:
    text = map_text(own, ranges)
    assert [tuple(map(int, line.split())) for line in text.splitlines()] == [(at, at, count) for at, count in rows]


def test_a_map_that_the_kernel_would_refuse_is_refused() -> None:
    assert map_text(1, [(10 * row, 1) for row in range(1, MAX_ROWS)]).count("\n") == MAX_ROWS
    with pytest.raises(ValueError, match="340 rows"):
        map_text(1, [(10 * row, 1) for row in range(1, MAX_ROWS + 1)])


TRY = """
import ctypes, json, os, subprocess, sys
from pageworker_sandbox.launch.user_namespace import make
libc = ctypes.CDLL(None, use_errno=True)
namespace = make([(int(sys.argv[1]), 10)])
libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
inside = '''
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
ours, theirs, namespace, uid = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
def attempt(act):
    try:
        act()
    except OSError as error:
        return error.strerror
    return "done"
tried = {"chown before": attempt(lambda: os.chown(ours, uid, uid))}
tried["enter"] = libc.setns(namespace, 0x10000000)
tried["chown"] = attempt(lambda: os.chown(ours, uid, uid))
tried["read"] = attempt(lambda: open(ours).close())
tried["chown another's"] = attempt(lambda: os.chown(theirs, uid, uid))
tried["read another's"] = attempt(lambda: open(theirs).close())
tried["become root"] = attempt(lambda: os.setresuid(0, 0, 0))
os.setgroups([])
tried["become"] = attempt(lambda: (os.setresgid(uid, uid, uid), os.setresuid(uid, uid, uid)))
print(json.dumps(tried))
'''
command = [sys.executable, "-I", "-S", "-c", inside, *sys.argv[2:4], str(namespace.descriptor), sys.argv[1]]
sys.exit(subprocess.run(command, pass_fds=[namespace.descriptor]).returncode)
"""


@pytest.mark.skipif(not can_run(), reason=SKIP_REASON)
def test_its_owner_needs_no_capability_for_the_ids_of_the_map_and_has_none_for_others() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        ours, theirs = folder / "ours", folder / "theirs"
        for file, user in ((ours, USER), (theirs, USER + 1)):
            file.write_text("private")
            file.chmod(0o600)
            os.chown(file, user, user)
        done = subprocess.run(
            as_user(sys.executable, "-c", TRY, str(FIRST), str(ours), str(theirs)),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "chown before": "Operation not permitted",
        "enter": 0,
        "chown": "done",
        "read": "done",
        "chown another's": "Operation not permitted",
        "read another's": "Permission denied",
        "become root": "Invalid argument",
        "become": "done",
    }
