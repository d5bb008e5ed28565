-- The content of objects, in parts. What is being uploaded, and what was deleted and not cleared away yet, is not
-- visible: the next start removes it. Whose the objects are is known to the main database only.

CREATE TABLE object_blobs (
    upload     TEXT    NOT NULL PRIMARY KEY,
    instance   TEXT    NOT NULL,
    blob       TEXT    NOT NULL,
    part_count INTEGER NOT NULL,
    visible    INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX object_blobs_visible ON object_blobs (instance, blob) WHERE visible = 1;

CREATE INDEX object_blobs_hidden ON object_blobs (upload) WHERE visible = 0;

CREATE TABLE object_parts (
    upload  TEXT    NOT NULL REFERENCES object_blobs (upload),
    number  INTEGER NOT NULL,
    content BLOB    NOT NULL,
    UNIQUE (upload, number)
) STRICT;
