"""Scheduler engines: what runs the containers."""
