"""All rows."""

from mutants import leases, streams, turns, wires, workers

MUTANTS = (*leases.ROWS, *turns.ROWS, *streams.ROWS, *wires.ROWS, *workers.ROWS)
