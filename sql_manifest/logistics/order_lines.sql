/*---
description: Every order line with its dates, for the shipping application.
owners: [team:logistics]
tags: {domain: logistics}
compression: zstd(3)
timeout: 10m
retries: {max: 3, delay: 10s}
checks:
  - min_rows: 1
  - rows_change: -10%..
  - unique: [order_id, line_number]
  - not_null: [part_id, supplier_id]
  - sql: select * from result where received_on < shipped_on
    label: received_before_shipped
cpu: 1
memory: 2GB
disk: 30GB
---*/
select
  l_orderkey    as order_id,
  l_linenumber  as line_number,
  l_partkey     as part_id,
  l_suppkey     as supplier_id,
  l_quantity    as quantity,
  l_shipdate    as shipped_on,
  l_commitdate  as promised_on,
  l_receiptdate as received_on,
  l_shipmode    as ship_mode,
  l_comment     as comment
from shop.lineitem
order by order_id, line_number
