"""How extracts run in Dagster."""
