/*---
description: >-
  Refused on purpose, to show an audit at work: it claims that a part is ordered only once.
owners: [team:platform]
checks:
  - unique: [part_id]
---*/
select l_partkey as part_id, l_orderkey as order_id, l_quantity as quantity
from shop.lineitem
where l_shipdate >= date '1998-11-01'
order by part_id, order_id
