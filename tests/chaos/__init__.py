"""Real faults on real Redis, with real supervisors: `python -m chaos --help`, with `tests` on the path.

An echo runner inside the worker's own process replaces the sandboxed runner; a part of the run uses real runners.
A seed decides the jobs, the faults and their order. At the end the expected results are compared with what Redis and
the callback receiver hold.
"""
