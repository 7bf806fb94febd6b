"""Blocker rules: which signs of a page's main document say that the site blocks the job. Data, and pure functions.

`signs.py` has the kinds of signs, `rules.py` the file of the rules, `recognition.py` the decision. The runner collects
what a page shows; it decides nothing else.
"""
