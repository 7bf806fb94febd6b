"""All rows."""

from mutation import connections, fairness, leases, lifecycle, streams, workers

MUTANTS = (*leases.ROWS, *lifecycle.ROWS, *fairness.ROWS, *streams.ROWS, *connections.ROWS, *workers.ROWS)
