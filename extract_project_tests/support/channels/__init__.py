"""The other ends of the alert channels: servers that speak their protocols."""
