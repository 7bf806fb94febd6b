"""`workerctl demo`: a demonstration on a temporary worker."""

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from pageworker_demo.run import demo as run_demo
from pageworker_supervisor.cli.output import CommandExit

PIPE_WIDTH = 150
"""Columns of the tables if stdout is no terminal: a pipe has no width, and rich would cut the tables to its guess."""


def demo(*, keep: Annotated[bool, Parameter(negative=())] = False) -> CommandExit:
    """Run about thirty demonstration jobs on a temporary worker, and show their results.

    The demonstration starts a worker, a Redis and a small web shop. It takes about 15 seconds and removes everything at
    the end. The exit code is 0 only if every job ended as expected.

    Example: `workerctl demo --keep`.

    Parameters
    ----------
    keep
        Keep the data folder with the log of the worker, the signed modules and the artifacts.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    return CommandExit.FAILED if run_demo(console, keep=keep) else CommandExit.DONE
