"""Commands for an installation without a running deployment."""
