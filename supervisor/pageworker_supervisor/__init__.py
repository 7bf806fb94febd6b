"""The trusted side: holds Redis, keys and secrets; never runs module code."""
