"""Numbered SQL, forward only: a file that has been released is never changed."""
