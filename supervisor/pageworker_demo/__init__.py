"""`workerctl demo`: a real daemon, a small shop to browse, some thirty jobs, and a look at what came back."""
