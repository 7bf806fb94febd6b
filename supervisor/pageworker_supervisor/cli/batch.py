"""`workerctl batch`: batches of jobs. A command is imported when it is called."""

from cyclopts import App

app = App(name="batch", help="Open, show, close, cancel and retry batches of jobs.")

for name, place, line in (
    ("open", "batch_open:open_batch", "Open a batch: jobs with its id are answered once as a whole."),
    ("show", "batch_show:show_batch", "Show one batch: its state, and how many of its jobs are where."),
    ("list", "batch_show:list_batches", "List batches, those of one tenant or of all."),
    ("close", "batch_change:close", "Let no further job into a batch."),
    ("cancel", "batch_change:cancel", "Cancel the jobs of a batch that have not ended."),
    ("retry", "batch_change:retry", "Queue the failed jobs of a batch again."),
):
    app.command(f"pageworker_supervisor.cli.{place}", name=name, help=line)
