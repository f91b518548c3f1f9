"""Versions as readers see them."""
