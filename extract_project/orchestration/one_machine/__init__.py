"""Dagster on one machine: runs that start at once, and cost little beyond their query."""
