-- Sealed values, by ids that tell nothing. Whose they are is known to the main database only.

CREATE TABLE secret_blobs (
    instance TEXT NOT NULL,
    blob     TEXT NOT NULL,
    sealed   BLOB NOT NULL,
    PRIMARY KEY (instance, blob)
) STRICT;
