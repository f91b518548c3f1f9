/*---
description: The customers with the highest turnover in one market segment.
owners: [team:sales]
params: {segment: BUILDING, least: 100000.00}
format: csv
to: data
path: sales/{name}.csv.gz
checks:
  - max_rows: 5000
  - unique: [customer_id]
  - accepted_values: {segment: [BUILDING]}
---*/
select
  c.c_custkey         as customer_id,
  c.c_name            as name,
  c.c_mktsegment      as segment,
  sum(o.o_totalprice) as turnover
from shop.customer c
join shop.orders o on o.o_custkey = c.c_custkey
where c.c_mktsegment = :segment
group by all
having turnover > :least
order by turnover desc, customer_id
