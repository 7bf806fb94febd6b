"""Two versions on one Redis: `python -m rolling --help`, with `tests` on the path.

N-1 is the newest tag, or the newest commit where there is none. N is the newest commit with one more field of a job and
changed Redis Functions (`next_version`). Workers are replaced one by one under load, forth and back. At the end the
expected results are compared with what Redis and the callback receiver hold, as after a chaos run.
"""
