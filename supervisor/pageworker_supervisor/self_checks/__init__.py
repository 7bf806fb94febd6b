"""Checks of Redis and of the host: the worker runs them at its start and while it serves, `workerctl doctor` on demand.

`[checks]` of the configuration says what a failed one does.
"""
