/*---
description: Lines that arrived after the promised day; a few are normal, many are a warning.
owners: [team:logistics]
params: {since: 1998-06-01}
format: arrow
compression: lz4
unchanged: publish
checks:
  - max_rows: 1000
    severity: warn
---*/
select
  l_orderkey                              as order_id,
  l_linenumber                            as line_number,
  l_receiptdate                           as received_on,
  date_diff('day', l_commitdate, l_receiptdate) as days_late
from shop.lineitem
where l_receiptdate > l_commitdate
  and l_receiptdate >= :since
order by order_id, line_number
