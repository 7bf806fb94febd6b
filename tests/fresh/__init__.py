"""README's commands on bare roots of distributions: `python -m fresh --help`, with `tests` on the path."""
