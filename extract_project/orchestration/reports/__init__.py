"""Reports that the deployment writes for people: the catalogue."""
