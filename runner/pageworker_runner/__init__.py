"""Hostile ground: runs module code on a pool of pages. Holds nothing but the job it runs."""
