"""Gofer: an automation engine for short-lived container jobs."""

__version__ = "1.0.0.dev0"
