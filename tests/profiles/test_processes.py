"""Several processes and one profile: one holds it, and a dead holder holds nothing."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pageworker_profiles import ProfileBusy, ProfileStore

PACKAGES = Path(__file__).resolve().parents[2] / "profiles"
HOLD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pageworker_profiles import ProfileStore
store = ProfileStore(Path(sys.argv[2]))
lease = store.open("acme", "shop", 1, None)
from pageworker_profiles.locks import Lock
scratch = store.root / ".scratch/dead/data"
scratch.mkdir(parents=True)
scratch_lock = Lock.take(scratch.parent / "lock")
(scratch / "leftover").write_text("x")
print("held", flush=True)
sys.stdin.read()
"""
RACE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from pageworker_profiles import ProfileBusy, ProfileStore
store = ProfileStore(Path(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
wins = 0
for number in range(150):
    try:
        with store.open("acme", "shop", None, None) as lease:
            mark = lease.path / "mark"
            mark.touch(exist_ok=False)
            mark.unlink()
            wins += 1
        if number % 3 == 0:
            store.remove("acme", "shop")
    except ProfileBusy:
        continue
print(wins)
"""


@contextmanager
def _process(script: str, root: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(PACKAGES), str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_kill_9_of_the_holder_frees_its_profile_and_what_earlier_versions_left(tmp_path: Path) -> None:
    with _process(HOLD, tmp_path) as process:
        assert _line(process) == "held"
        store = ProfileStore(tmp_path)
        with pytest.raises(ProfileBusy, match=f"pid {process.pid} "):
            store.open("acme", "shop", 2, None)
        store.collect_abandoned()
        assert (tmp_path / ".scratch/dead/data/leftover").exists()
        process.kill()
        process.wait()
    with store.open("acme", "shop", 2, None):
        pass
    store.collect_abandoned()
    assert [path.name for path in (tmp_path / ".scratch").iterdir()] == ["lock"]
    store.empty_trash()
    assert store.trash() == ()


def test_racing_openers_and_removers_are_never_inside_together(tmp_path: Path) -> None:
    with _process(RACE, tmp_path) as one, _process(RACE, tmp_path) as two, _process(RACE, tmp_path) as three:
        racers = (one, two, three)
        assert [_line(racer) for racer in racers] == ["ready"] * 3
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        wins = [int(_line(racer)) for racer in racers]
        assert [racer.wait() for racer in racers] == [0, 0, 0]
    assert sum(wins) > 0
