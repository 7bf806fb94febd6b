"""`make profiles-load`: many profiles of which few are busy, on a worker with little memory."""
