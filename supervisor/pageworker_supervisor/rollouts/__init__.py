"""Rollouts: which of two signed versions a job gets, who decided it, and the test that rolls a bad version back."""
