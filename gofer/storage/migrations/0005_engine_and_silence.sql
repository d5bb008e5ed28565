-- What a run's first attempt was given to, which each look at a run would otherwise search among its task runs; empty
-- before it. And the task runs that ended without having written a byte: of those there is no log file.

ALTER TABLE runs ADD COLUMN engine TEXT NOT NULL DEFAULT '';

UPDATE runs SET engine = coalesce((
    SELECT engine FROM task_runs
    WHERE task_runs.namespace = runs.namespace AND task_runs.pipeline = runs.pipeline AND task_runs.run = runs.id
    AND engine <> '' LIMIT 1
), '');

ALTER TABLE task_runs ADD COLUMN silent INTEGER NOT NULL DEFAULT 0;
