"""Commands for published versions, and what only they share."""
