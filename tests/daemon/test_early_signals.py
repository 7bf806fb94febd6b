"""A signal that comes before the worker is up."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from pageworker_supervisor.exit_codes import DaemonExit


def test_a_hangup_while_the_daemon_starts_does_not_end_it(tmp_path: Path) -> None:
    config = tmp_path / "pageworker.toml"
    os.mkfifo(config)
    command = [sys.executable, "-m", "pageworker_supervisor.daemon", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as daemon:
        with config.open("w") as file:  # opens once the daemon reads it
            daemon.send_signal(signal.SIGHUP)
            file.write("[pool]\nruners = 4\n")
        _, text = daemon.communicate()
    assert daemon.returncode == DaemonExit.MISCONFIGURED
    assert "pool.runers" in text
