"""The use cases: one class per noun, one method = one permission check and one transaction."""
