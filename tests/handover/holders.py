"""Hand-overs and kills between processes without browsers: many in a minute, and the same code of profiles."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

WORKERS = ("a", "b")


class Holders:
    """Processes that open one profile in turn, each worker with its own folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fence = 0
        self._newest = 0
        """The newest text that is known to be stored."""
        self._possible: set[int] = set()
        """What the next one may find."""
        self.lost = self.stale = self.killed = 0
        (folder / "store").mkdir()

    def run(self, handovers: int, kills: int) -> None:
        """All of them, one after the other. A kill is followed by a visit of the other worker, or of the same one."""
        for number in range(handovers + 1):
            self._visit(WORKERS[number % 2], kill=False)
        for number in range(kills):
            self._visit(WORKERS[number % 2], kill=True)
            self._visit(random.choice(WORKERS), kill=False)

    def _visit(self, worker: str, *, kill: bool) -> None:
        self._fence += 1
        text = str(self._fence)
        command = [sys.executable, "-m", "handover.holder", worker, str(self._folder / worker)]
        process = subprocess.Popen(
            [*command, str(self._folder / "store"), str(self._fence), text], stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            self._check(line_of(process.stdout))
            if kill:
                # Spread over packing, storing, reading back and naming it.
                time.sleep(random.uniform(0, 0.4))
                process.kill()
                closed = process.stdout.read().strip().endswith("closed")
                self.killed += not closed
                self._possible = {self._newest, self._fence}
            else:
                assert process.stdout.read().strip().endswith("closed")
                self._possible = {self._fence}
                self._newest = self._fence
        print(f"visit {self._fence} of {worker}{' (killed)' if kill else ''}", flush=True)

    def _check(self, found: str) -> None:
        if not self._possible:
            return  # the first one begins with an empty profile
        if not found:
            self.lost += 1
        elif int(found) not in self._possible:
            self.stale += 1
        else:
            self._newest = int(found)


def line_of(output: IO[str]) -> str:
    """What the holder found."""
    return output.readline().removeprefix("found ").strip()
