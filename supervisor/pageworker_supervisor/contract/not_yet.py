"""Names that the contract reserves for later. Until they work, they are refused by name: never ignored."""

JOB_FIELDS: dict[str, str] = {
    "files": "leave it out, and put a URL of the file into `payload`: the module downloads it",
}
"""Field of a job, and what to do instead."""
