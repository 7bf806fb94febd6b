"""The event listener for supervisord: it reports what becomes of the worker's process."""
