-- Since when somebody wants it to be deleted: it takes no new work, and goes when its runs have ended and all that it
-- had is gone.

ALTER TABLE namespaces ADD COLUMN deleting_at INTEGER;

ALTER TABLE pipelines ADD COLUMN deleting_at INTEGER;

CREATE INDEX namespaces_deleting ON namespaces (id) WHERE deleting_at IS NOT NULL;

CREATE INDEX pipelines_deleting ON pipelines (namespace, id) WHERE deleting_at IS NOT NULL;
