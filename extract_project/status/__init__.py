"""The state of each extract, and why: facts → state, evidence, remedy. It knows no Dagster."""
