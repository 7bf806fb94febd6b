"""The public data formats: jobs, results, events and their names."""
