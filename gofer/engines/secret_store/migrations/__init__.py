"""The schema of the secret store's own file, step by step."""
