"""What users touch: jobs and results."""
