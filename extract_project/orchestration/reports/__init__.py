"""What the deployment writes for people: the catalogue."""
