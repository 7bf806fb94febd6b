"""Names that the contract reserves for later. Until they work, they are refused by name: never ignored."""

JOB_FIELDS: dict[str, str] = {
}
"""Field of a job, and what to do instead."""
