"""Pluggable backends: what Gofer asks of them, and the ones that come with it."""
