-- What deleting needs: without an index on a foreign key each deleted page reads all artifacts, and a sweep would read them all to find a few.

-- For the cascade from audit_pages.
create index ix_artifacts_page_id on artifacts (page_id);

-- For the sweep of what has expired and still lies in its storage.
create index ix_artifacts_retention_until on artifacts (retention_until, id) where deleted_at is null and retention_until is not null;

-- For the purge of what was deleted from its storage long ago.
create index ix_artifacts_deleted_at on artifacts (deleted_at) where deleted_at is not null;
