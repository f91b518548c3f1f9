/*---
description: What each supplier has of each part, and at which cost.
owners: [team:logistics]
schedule: [0 6 * * *, 0 18 * * *]
pool: heavy
split: {rows: 250000}
on_empty: fail
checks:
  - unique: [part_id, supplier_id]
  - between: {available: [0, null]}
---*/
select
  ps_partkey    as part_id,
  ps_suppkey    as supplier_id,
  ps_availqty   as available,
  ps_supplycost as cost
from shop.partsupp
order by part_id, supplier_id
