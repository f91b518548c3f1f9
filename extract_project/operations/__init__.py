"""The page for whoever is on call: what is wrong now, the last 24 hours, the last 30 days."""
