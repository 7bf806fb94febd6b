"""Profiles that change hands many times, and workers that are killed while they store one."""
