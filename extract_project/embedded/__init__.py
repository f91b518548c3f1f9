"""Everything on this machine: an S3 server, a warehouse and a Dagster, for the demo and tests.

Needs the `embedded` extra. Nothing in production imports this package.
"""
