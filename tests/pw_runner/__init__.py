"""Drives a real runner as the supervisor would, with a small website behind its proxy."""
