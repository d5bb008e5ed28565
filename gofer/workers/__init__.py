"""The long-running parts; each is a `gofer.lifecycle.Worker` and changes state only through the services."""
