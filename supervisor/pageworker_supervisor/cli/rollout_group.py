"""`workerctl rollout`: rollouts of modules, and of the worker itself. Without a further word it lists those of modules.

`watch` is imported when it is called.
"""

from cyclopts import App

from pageworker_supervisor.cli.rollout import rollouts

app = App(name="rollout", help="List the rollouts of all modules; watch a new build of the worker.")
app.default(rollouts)
app.command(
    "pageworker_supervisor.cli.rollout_watch:watch",
    name="watch",
    help="Check whether a new build of the worker is worse than the one that runs.",
)
