"""What clients, pipeline authors and extension authors import."""
