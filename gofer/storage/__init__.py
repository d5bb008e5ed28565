"""The main database: rows to domain values and back, one repository per aggregate, one unit per transaction."""
