"""From a query to a staged result."""
