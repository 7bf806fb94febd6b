"""Pictures of the status page for the docs (`make status-screenshots`)."""
