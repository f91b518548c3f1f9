"""The page for whoever is on call."""
