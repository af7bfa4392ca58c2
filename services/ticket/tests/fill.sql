-- Tickets as months of use leave them, for tests of plans and for the benchmark. What to make is set before:
--   fill.sites      how many sites share the tickets
--   fill.tickets    how many tickets
--   fill.workers    workers of each, out of 3,000
--   fill.days       days of each
-- Each worker's day is trained for, and four in five have a grant. Ids grow with time, as ours do.
CREATE FUNCTION pg_temp.fill_id(kind text, number integer) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN format('00000000-0000-7000-800%s-%s',
                  array_position(ARRAY['site', 'contractor', 'area', 'worker', 'video', 'account', 'ticket', 'day'], kind),
                  lpad(to_hex(number), 12, '0'))::uuid;

CREATE TEMPORARY TABLE fill AS
SELECT number, pg_temp.fill_id('ticket', number) AS ticket_id,
       pg_temp.fill_id('site', number % current_setting('fill.sites')::integer) AS site_id,
       date '2026-03-02' + number % 180 - 90 AS start_date
FROM generate_series(1, current_setting('fill.tickets')::integer) AS number;

INSERT INTO ticket.work_tickets
    (ticket_id, site_id, contractor_id, title, remark, start_date, end_date, access_start_time, access_end_time,
     deadline_time, deadline_given, time_zone, video_rule, publish_now, daily_reminder, created_by, created_at,
     published_by, published_at, cancelled_by, cancelled_at, cancel_reason, night_deadline_minutes,
     late_deadline_minutes, version)
SELECT ticket_id, site_id, pg_temp.fill_id('contractor', number % 8), format('%s#楼钢筋绑扎', number), '',
       start_date, start_date + current_setting('fill.days')::integer - 1, '06:00', '20:00', '07:30', false,
       'Asia/Shanghai', 'ALL', true, true, pg_temp.fill_id('account', 0), start_date - interval '1 day',
       CASE WHEN number % 7 > 0 THEN pg_temp.fill_id('account', 0) END,
       CASE WHEN number % 7 > 0 THEN start_date - interval '1 day' END,
       CASE WHEN number % 7 = 1 THEN pg_temp.fill_id('account', 0) END,
       CASE WHEN number % 7 = 1 THEN start_date - interval '1 hour' END,
       CASE WHEN number % 7 = 1 THEN '停工' END, 30, 90, 1
FROM fill;

INSERT INTO ticket.daily_tickets
    (daily_ticket_id, ticket_id, site_id, date, access_start_at, access_end_at, deadline_at, starts_at, expires_at,
     published_at)
SELECT pg_temp.fill_id('day', number * 100 + day), ticket_id, site_id, start_date + day,
       start_date + day - interval '2 hours', start_date + day + interval '12 hours',
       start_date + day - interval '30 minutes', start_date + day - interval '7 hours',
       start_date + day + interval '15 hours', start_date - interval '1 day'
FROM fill, generate_series(0, current_setting('fill.days')::integer - 1) AS day;

INSERT INTO ticket.ticket_areas (ticket_id, site_id, area_id, position)
SELECT ticket_id, site_id, pg_temp.fill_id('area', (number + 7 * place) % 20), place
FROM fill, generate_series(0, 1) AS place;

INSERT INTO ticket.ticket_workers (ticket_id, site_id, worker_id, position)
SELECT ticket_id, site_id, pg_temp.fill_id('worker', (number * 37 + place) % 3000), place
FROM fill, generate_series(0, current_setting('fill.workers')::integer - 1) AS place;

INSERT INTO ticket.ticket_videos (ticket_id, site_id, video_id, position)
SELECT ticket_id, site_id, pg_temp.fill_id('video', 0), 0 FROM fill;

INSERT INTO ticket.worker_bindings (worker_id, bound, version)
SELECT pg_temp.fill_id('worker', number), number % 10 > 0, 1 FROM generate_series(0, 2999) AS number;

INSERT INTO ticket.worker_days
    (daily_ticket_id, worker_id, site_id, training_status, training_version, notified_at, completed_videos)
SELECT d.daily_ticket_id, w.worker_id, d.site_id,
       CASE WHEN w.position % 10 > 1 THEN 'COMPLETED' WHEN w.position % 10 = 1 THEN 'FAILED' ELSE 'IN_LEARNING' END, 1,
       d.published_at, ARRAY[pg_temp.fill_id('video', 0)]
FROM fill JOIN ticket.daily_tickets d USING (ticket_id) JOIN ticket.ticket_workers w USING (ticket_id);

INSERT INTO ticket.completions (daily_ticket_id, worker_id, site_id, completed_at, in_time, version)
SELECT d.daily_ticket_id, w.worker_id, d.site_id, d.deadline_at - interval '1 hour', true, 1
FROM fill JOIN ticket.daily_tickets d USING (ticket_id) JOIN ticket.ticket_workers w USING (ticket_id)
WHERE w.position % 10 > 1;

INSERT INTO ticket.grants
    (grant_id, site_id, daily_ticket_id, worker_id, area_id, status, version, authorized, authorized_at)
SELECT md5(d.daily_ticket_id::text || w.worker_id)::uuid, d.site_id, d.daily_ticket_id, w.worker_id,
       pg_temp.fill_id('area', fill.number % 20), 'SYNCED', 1, true, d.deadline_at
FROM fill JOIN ticket.daily_tickets d USING (ticket_id) JOIN ticket.ticket_workers w USING (ticket_id)
WHERE w.position % 10 > 1;

ANALYZE;
