"""Each channel against a server that speaks its protocol."""
