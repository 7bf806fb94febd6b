"""The virtual environment of the peers. It is made and filled when it is first needed."""

import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "peers" / "requirements.txt"
FOLDER = Path(__file__).parents[1] / ".venv-peers"
INSTALL_SECONDS = 600.0


class PeersMissing(Exception):
    """The peers cannot be installed here. The message gives the reason in one line."""


def peer_python(requirements: Path = REQUIREMENTS, folder: Path = FOLDER) -> Path:
    """The interpreter of an environment with the packages of `requirements`. Raises PeersMissing."""
    python = folder / "bin" / "python"
    wanted, stamp = requirements.read_text(), folder / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    print(f"installing {', '.join(versions(requirements))} into {folder.name}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    # Our own pip installs into it: to give it a pip would take seconds.
    venv = ("-m", "venv", "--without-pip", str(folder))
    pip = (
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "-q",
        "--disable-pip-version-check",
        "-r",
        str(requirements),
    )
    for command in ((sys.executable, *venv), (sys.executable, *pip)):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.CalledProcessError as failed:
            raise PeersMissing(f"the queue's peers cannot be installed: {_reason(failed)}") from failed
        except (OSError, subprocess.TimeoutExpired) as failed:
            raise PeersMissing(f"the queue's peers cannot be installed: {failed}") from failed
    stamp.write_text(wanted)
    return python


def versions(requirements: Path = REQUIREMENTS) -> dict[str, str]:
    """The pinned version by package."""
    lines = [line for line in requirements.read_text().splitlines() if "==" in line]
    return dict(line.split("==") for line in lines)


def _reason(failed: subprocess.CalledProcessError) -> str:
    lines = [line for line in (failed.stderr or failed.stdout or "").splitlines() if line.strip()]
    # pip prints hints after its errors.
    errors = [line for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or [f"exit code {failed.returncode}"])[-1]
