"""The extensions that come with Gofer."""
