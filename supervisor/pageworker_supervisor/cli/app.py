"""`workerctl`: the root of all commands. Each is imported when it is called, so that `--help` is quick."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError

from pageworker_supervisor.cli.output import CommandError, CommandExit, complain
from pageworker_supervisor.contract.printable import printable

app = App(
    name="workerctl",
    help="Operate pageworker workers, and write, sign and publish modules.",
    version=lambda: version("pageworker"),
    result_action="return_value",
    exit_on_error=False,
)

# Command or group, where it is (a function or an App), its line in `--help`.
COMMANDS = (
    ("demo", "pageworker_supervisor.cli.demo:demo", "See it work: a worker, a shop and thirty jobs of its own."),
    ("status", "pageworker_supervisor.cli.worker:status", "Show the worker on this host."),
    ("drain", "pageworker_supervisor.cli.worker:drain", "Claim no more, finish what runs, hand back the rest."),
    ("resume", "pageworker_supervisor.cli.worker:resume", "Take jobs again after a drain."),
    ("submit", "pageworker_supervisor.cli.jobs:submit", "Push one job; with --wait, print its result."),
    ("results", "pageworker_supervisor.cli.jobs:results", "Show one job's result, or the newest results."),
    ("jobs", "pageworker_supervisor.cli.jobs:jobs", "List jobs that have no result yet."),
    ("cancel", "pageworker_supervisor.cli.worker:cancel", "Cancel a job, wherever it waits or runs."),
    (
        "dead",
        "pageworker_supervisor.cli.dead_letters:app",
        "Jobs that came to no good end: look, send again, throw away.",
    ),
    ("redis", "pageworker_supervisor.cli.redis:app", "How clients reach the daemon's own Redis."),
    ("doctor", "pageworker_supervisor.cli.doctor:doctor", "What this host needs, and how to mend what fails."),
    ("module", "pageworker_supervisor.cli.module:app", "Write, pack, sign, verify and publish modules."),
    ("key", "pageworker_supervisor.cli.key:app", "Make and show the keys that modules are signed with."),
)

for name, place, line in COMMANDS:
    app.command(place, name=name, help=line)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's own). Returns the exit code.

    A command returns None or an Exit, or raises CommandError.
    """
    try:
        result = app(arguments, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        complain(printable(error), "`workerctl --help`, or `workerctl COMMAND --help`, shows what there is")
        return CommandExit.USAGE
    except CommandError as error:
        complain(str(error), error.mend)
        return error.exit_code
    except BrokenPipeError:
        # `workerctl … | head`: nobody reads on. Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CommandExit.FAILED
    except KeyboardInterrupt:
        return 130
    return result if isinstance(result, int) else CommandExit.DONE


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
