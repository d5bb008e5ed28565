"""Engines that keep the values of secrets."""
