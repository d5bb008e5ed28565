"""The API on the wire: handlers convert, services decide."""
