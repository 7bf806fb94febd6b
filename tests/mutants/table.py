"""All rows."""

from mutants import leases, lifecycle, streams, turns, wires, workers

MUTANTS = (*leases.ROWS, *lifecycle.ROWS, *turns.ROWS, *streams.ROWS, *wires.ROWS, *workers.ROWS)
