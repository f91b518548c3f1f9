/*---
description: >-
  Orders as they come in: each run adds those of the days it has not seen, and once more asks for
  the week before, for what was entered late.
owners: [team:logistics]
incremental: {cursor: ordered_on, lag: 7 days}
checks:
  - not_null: [order_id]
---*/
select o_orderkey as order_id, o_orderdate as ordered_on, o_totalprice as total
from shop.orders
where :watermark is null or o_orderdate >= :watermark
order by ordered_on, order_id
