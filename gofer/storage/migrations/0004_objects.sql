-- The keys of objects. Their content is in the object store, each under the id `blob`. Without a run it is the
-- pipeline's own. `place` tells the older from the newer.

CREATE TABLE objects (
    place      INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace  TEXT    NOT NULL,
    pipeline   TEXT    NOT NULL,
    run        INTEGER CHECK (run > 0),
    key        TEXT    NOT NULL,
    blob       TEXT    NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    FOREIGN KEY (namespace, pipeline) REFERENCES pipelines (namespace, id),
    FOREIGN KEY (namespace, pipeline, run) REFERENCES runs (namespace, pipeline, id)
) STRICT;

CREATE UNIQUE INDEX objects_key ON objects (namespace, pipeline, coalesce(run, 0), key);

CREATE UNIQUE INDEX objects_blob ON objects (blob);
