"""Extracts in Dagster: definitions, runs, schedules and sensors, failures, ECS tasks."""
