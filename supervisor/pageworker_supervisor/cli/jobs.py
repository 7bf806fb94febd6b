"""`workerctl jobs`: jobs in every state. Without a further word it lists them.

A command is imported when it is called. `list` is imported with the group, because it is what the group does by itself.
"""

from cyclopts import App

from pageworker_supervisor.cli.jobs_list import list_jobs

app = App(name="jobs", help="List, show, follow, cancel and retry jobs.")
app.default(list_jobs)

for name, place, line in (
    ("list", "jobs_list:list_jobs", "List jobs: those that have no result yet, or ended ones."),
    ("show", "jobs_show:show_job", "Show one job: where it is, or how it ended, and its timeline."),
    ("follow", "jobs_follow:follow", "Print each change of the state of one job, until it has a result."),
    ("cancel", "jobs_bulk:cancel", "Cancel jobs that have not ended: by name, or by filters."),
    ("retry", "jobs_bulk:retry", "Queue jobs again that did not succeed: by name, or by filters."),
):
    app.command(f"pageworker_supervisor.cli.{place}", name=name, help=line)
