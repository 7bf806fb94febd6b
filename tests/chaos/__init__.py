"""Real faults on real Redis, with real supervisors: `python -m chaos --help`, with `tests` on the path.

Only the sandboxed runner is replaced, by one that answers out of the worker's own process (`echo`); `--real` leaves it
in place. A seed decides jobs, faults and their order; the ledger at the end says what became of every job.
"""
