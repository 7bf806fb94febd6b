"""Proxy policies: which one a job has, and through which upstream proxies its runner goes out."""
