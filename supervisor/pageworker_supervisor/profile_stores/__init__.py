"""Where profiles are kept: the fleet's record, the object store of snapshots, its keys, and what is told of it."""
