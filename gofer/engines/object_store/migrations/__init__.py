"""The schema of the object store's file, as numbered steps."""
