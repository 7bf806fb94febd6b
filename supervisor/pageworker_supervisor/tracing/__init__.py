"""Traces of jobs. Without `tracing.endpoint` nothing of this package makes a span, and OpenTelemetry is not imported.

A job is one trace. Each worker makes the spans of the steps that it takes, and asks no other worker: the id of the span
of the whole job follows from its trace id and its name, so that every worker knows the parent of its spans. Whether a
job is sampled follows from its trace id, or from the flag of the caller.
"""
