"""Tools for authors of modules: runs on each save, and tests. They run jobs by a local worker, without Redis.

Only `workerctl`, and pytest through the entry point of `pytest_plugin`, import this package.
"""
