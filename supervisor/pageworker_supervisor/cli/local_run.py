"""What commands share that run jobs on this host without Redis."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pageworker_sandbox.launch import HostUnfit
from pageworker_supervisor.cli.output import CommandError
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.host.descriptor_limit import raise_limit
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.hardening import harden
from pageworker_supervisor.local_worker import LocalRunFailed, LocalSetup, local_setup
from pageworker_supervisor.obstore_panics import build_runtime

DOCTOR = "`workerctl doctor` checks this host."


@contextmanager
def start_locally(settings: Settings, data_dir: Path | None = None) -> Iterator[LocalSetup]:
    """Prepare this process as the daemon prepares itself, and end the command with an error of the host.

    A cancelled run (SIGINT, SIGTERM) raises KeyboardInterrupt.
    """
    try:
        harden()
        raise_limit()
        build_runtime()
        with local_setup(settings, data_dir) as setup:
            yield setup
    except LocalRunFailed as failed:
        raise CommandError(f"the module was not run: {printable(failed)}") from failed
    except HostUnfit as unfit:
        raise CommandError("\n".join(map(printable, unfit.problems)), DOCTOR) from unfit
    except HostRefused as refused:
        raise CommandError(printable(refused.what), printable(refused.mend)) from refused
    except asyncio.CancelledError as cancelled:
        raise KeyboardInterrupt from cancelled
