"""Commands for a running deployment, and what only they share."""
