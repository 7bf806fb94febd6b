"""Other queues that read Redis streams, each used as its documentation shows.

They run in `.venv-peers`, never in pageworker's own environment.
"""
