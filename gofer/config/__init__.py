"""The server's settings and where they come from."""
