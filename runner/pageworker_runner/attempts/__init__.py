"""One attempt from its Run to its Free: the handler call, its limits, its result and what is kept of a failed page."""
