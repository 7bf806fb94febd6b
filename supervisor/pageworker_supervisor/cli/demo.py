"""`workerctl demo`: see it work."""

from rich.console import Console

from pageworker_supervisor.cli.output import Exit
from pageworker_supervisor.demo.run import demo as run_demo


def demo() -> Exit:
    """Run some thirty jobs on a worker of its own, with a Redis and a small shop of its own, and show what comes of it.

    Takes about a quarter of a minute; leaves nothing behind. Ends with 0 only if all went as it should.
    """
    return Exit.FAILED if run_demo(Console()) else Exit.DONE
