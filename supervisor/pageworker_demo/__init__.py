"""`workerctl demo`: a real worker, a small shop to browse, about thirty jobs, and a check of every result."""
