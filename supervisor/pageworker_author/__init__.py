"""Tools for authors of modules: runs on each save. They run jobs by a local worker, without Redis.

Only `workerctl` imports this package.
"""
