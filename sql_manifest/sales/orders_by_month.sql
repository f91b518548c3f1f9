/*---
description: The orders of one calendar month; a run, and a published object, for each of them.
owners: [team:sales]
partitions: {type: monthly, start: 1998-01-01, end: 1998-08-01}
checks:
  - min_rows: 1
  - unique: order_id
---*/
select
  o_orderkey as order_id,
  o_orderdate as ordered_on,
  o_totalprice as total
from shop.orders
where o_orderdate >= :partition_start
  and o_orderdate <  :partition_end
order by order_id
