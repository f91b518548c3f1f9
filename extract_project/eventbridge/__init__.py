"""Schedules at Amazon EventBridge Scheduler: one task for each extract and tick, and no service."""
