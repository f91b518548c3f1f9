"""The client of a running Dagster."""
