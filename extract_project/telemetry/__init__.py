"""Metrics for monitoring systems: what the journal says, and the state of the deployment."""
