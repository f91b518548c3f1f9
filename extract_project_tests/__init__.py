"""Tests against real parts: an S3 server over HTTP, Dagster's own processes, a browser.

A test named after a guarantee (`test_g2_…`) proves it; docs/guarantees.md lists them.
"""
