-- Which log line was the newest at which time of the server's clock. A session without a line after a mark has been silent since then. The timestamps of the
-- lines do not tell that: a worker may set them, and its clock may be wrong.
create table crawl_log_marks (
    marked_at timestamptz primary key,
    log_id bigint not null
);
