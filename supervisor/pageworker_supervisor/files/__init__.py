"""Files that jobs bring along: the store of uploads, and what a worker fetches for an attempt."""
