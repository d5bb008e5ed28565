"""Engines that keep the content of objects."""
