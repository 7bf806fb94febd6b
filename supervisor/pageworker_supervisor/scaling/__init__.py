"""The fleet process, `workerctl scale`: reads the state of the whole fleet from Redis, and says how many workers it
needs."""
