"""`workerctl demo`: see it work."""

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from pageworker_demo.run import demo as run_demo
from pageworker_supervisor.cli.output import CommandExit

PIPE_WIDTH = 150
"""A pipe has no width, and a table that is cut to a guess is of no use there."""


def demo(*, keep: Annotated[bool, Parameter(negative=())] = False) -> CommandExit:
    """Run some thirty jobs on a worker of its own, with a Redis and a small shop of its own, and show what comes of it.

    Takes about a quarter of a minute; leaves nothing behind. Ends with 0 only if all went as it should.

    Parameters
    ----------
    keep
        Leave the data folder, with the worker's log, the signed modules and the artifacts.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    return CommandExit.FAILED if run_demo(console, keep=keep) else CommandExit.DONE
