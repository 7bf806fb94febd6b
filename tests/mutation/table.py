"""All rows."""

from mutation import (
    config_rows,
    connections,
    fairness,
    isolation_rows,
    leases,
    lifecycle,
    page_options,
    proxy_rows,
    secrets_rows,
    streams,
    workers,
)

MUTANTS = (
    *leases.ROWS,
    *lifecycle.ROWS,
    *fairness.ROWS,
    *streams.ROWS,
    *connections.ROWS,
    *workers.ROWS,
    *secrets_rows.ROWS,
    *page_options.ROWS,
    *config_rows.ROWS,
    *proxy_rows.ROWS,
    *isolation_rows.ROWS,
)
