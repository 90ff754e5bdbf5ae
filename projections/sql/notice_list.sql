-- name: list
-- A page of kept notices of some statuses: those that suspense knows, and those that only the
-- inbox keeps. Each status is a walk along an index; {beyond} is where the page goes on.
SELECT p.position, l.*
FROM projections p
LEFT JOIN LATERAL (
  SELECT * FROM (
    SELECT n.*
    FROM unnest(%(statuses)s::text[]) AS s (status)
    CROSS JOIN LATERAL (
      SELECT n.received_at, n.processor, n.processor_ref, n.command, n.payment_ref, n.fields,
             n.status, NULL::text AS awaits, n.code, n.amount, n.in_suspense, n.currency,
             n.principal, n.settled_at, n.resolution, n.first_position, n.position
      FROM {notices} n
      WHERE n.status = s.status COLLATE "C" AND n.received_at <= %(until)s
        AND (%(code)s::text IS NULL OR n.code = %(code)s)
        AND (%(processor)s::text IS NULL OR n.processor = %(processor)s)
        AND (%(command)s::text IS NULL OR n.command = %(command)s)
        AND (n.received_at, n.processor, n.processor_ref, n.command, n.payment_ref) {beyond}
            (%(received_at)s::timestamptz, %(after_processor)s, %(after_ref)s, %(after_command)s,
             %(after_payment)s)
      ORDER BY n.received_at {order}, n.processor {order}, n.processor_ref {order},
               n.command {order}, n.payment_ref {order}
      LIMIT %(limit)s
    ) n
    UNION ALL
    SELECT i.*
    FROM unnest(%(kept)s::text[]) AS s (state)
    CROSS JOIN LATERAL (
      SELECT i.received_at, i.processor COLLATE "C", i.processor_ref COLLATE "C",
             i.command COLLATE "C", '' COLLATE "C", convert_from(i.fields, 'UTF8'),
             upper(i.state) COLLATE "C", i.awaits,
             CASE WHEN i.state = 'ignored' AND i.awaits IS NOT NULL THEN 'DROPPED' END COLLATE "C",
             NULL::bigint,
             NULL::bigint, NULL::text COLLATE "C", i.principal, i.settled_at, NULL::text,
             NULL::bigint, i.position
      FROM inbox i
      WHERE i.state = s.state AND i.received_at <= %(until)s
        AND (%(processor)s::text IS NULL OR i.processor = %(processor)s)
        AND (%(command)s::text IS NULL OR i.command = %(command)s)
        AND (%(code)s::text IS NULL OR i.state <> 'ignored'
             OR (i.awaits IS NOT NULL) = (%(code)s = 'DROPPED'))
        AND (i.received_at, i.processor COLLATE "C", i.processor_ref COLLATE "C",
             i.command COLLATE "C") {beyond}
            (%(received_at)s::timestamptz, %(after_processor)s, %(after_ref)s, %(after_command)s)
        AND NOT EXISTS (
          SELECT FROM {notices} n
          WHERE n.processor = i.processor AND n.processor_ref = i.processor_ref
            AND n.command = i.command OFFSET 0)
      ORDER BY i.received_at {order}, i.processor COLLATE "C" {order},
               i.processor_ref COLLATE "C" {order}, i.command COLLATE "C" {order}
      LIMIT %(limit)s
    ) i
  ) both_kinds
  ORDER BY received_at {order}, processor {order}, processor_ref {order}, command {order},
           payment_ref {order}
  LIMIT %(limit)s
) l ON true
WHERE p.name = 'notices'
ORDER BY l.received_at {order}, l.processor {order}, l.processor_ref {order}, l.command {order},
         l.payment_ref {order};

-- name: one
-- One notice by its own name: what waits of it first, then what came last.
SELECT p.position, l.*
FROM projections p
LEFT JOIN LATERAL (
  SELECT * FROM (
    SELECT n.received_at, n.processor, n.processor_ref, n.command, n.payment_ref, n.fields,
           n.status, NULL::text AS awaits, n.code, n.amount, n.in_suspense, n.currency,
           n.principal, n.settled_at, n.resolution, n.first_position, n.position
    FROM {notices} n
    WHERE n.processor = %(processor)s AND n.processor_ref = %(ref)s AND n.command = %(command)s
    UNION ALL
    SELECT i.received_at, i.processor, i.processor_ref, i.command, '',
           convert_from(i.fields, 'UTF8'), upper(i.state), i.awaits,
           CASE WHEN i.state = 'ignored' AND i.awaits IS NOT NULL THEN 'DROPPED' END,
           NULL, NULL, NULL, i.principal, i.settled_at, NULL, NULL, i.position
    FROM inbox i
    WHERE i.processor = %(processor)s AND i.processor_ref = %(ref)s AND i.command = %(command)s
  ) both_kinds
  ORDER BY payment_ref = '', status = 'SUSPENDED' DESC, first_position DESC LIMIT 1
) l ON true
WHERE p.name = 'notices';
