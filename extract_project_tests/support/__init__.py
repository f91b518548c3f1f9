"""Servers, doubles and attackers that the tests share."""
