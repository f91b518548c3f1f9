/*---
description: Orders that are not finished, one per line. Read by the customer portal.
owners: [team:sales]
format: jsonl
compression: zstd
checks:
  - between: {total: [0, 1000000]}
  - max_null_ratio: {comment: 0.5}
---*/
select
  o_orderkey      as order_id,
  o_custkey       as customer_id,
  o_orderdate     as order_date,
  o_totalprice    as total,
  o_orderpriority as priority,
  o_comment       as comment
from shop.orders
where o_orderstatus = 'O'
order by order_id
