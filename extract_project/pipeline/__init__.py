"""From a query to an audited, staged result, in bounded memory."""
