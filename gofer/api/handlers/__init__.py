"""One file per noun: request to values, service, values to reply."""
