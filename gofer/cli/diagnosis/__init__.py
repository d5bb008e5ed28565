"""What `gofer doctor` looks at: the files of this machine, the server, and what the token opens on it."""
