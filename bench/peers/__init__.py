"""Other queues that read Redis streams, each in its own words. They run in `.venv-peers`, never in pageworker's."""
