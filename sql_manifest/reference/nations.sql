/*---
description: Nations and their regions.
owners: [team:platform]
checks:
  - min_rows: 25
  - max_rows: 25
anomalies: allow
---*/
select n.n_nationkey as nation_id, n.n_name as nation, r.r_name as region
from shop.nation n
join shop.region r on r.r_regionkey = n.n_regionkey
order by nation_id
