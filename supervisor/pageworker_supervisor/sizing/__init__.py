"""How many runners and pages fit on this host: measured on one runner, then computed. For `workerctl doctor --size`."""
