-- What workers and listings need: without these indexes a poll for pending runs, and a list of one status or one app, reads all runs that ever ended.

-- For the runs in a status, by their time of creation, and for counting them.
create index idx_crawl_runs_status_created_at on crawl_runs (status, created_at, id);

-- For the runs of an app.
create index idx_crawl_runs_app_package_status_created_at on crawl_runs (app_package, status, created_at, id);
