/*---
description: Revenue per nation and year; comes after the daily revenue.
owners: [team:sales]
depends_on: [sales/daily_revenue]
compression: snappy
checks:
  - unique: [nation, year]
---*/
select
  n.n_name                                     as nation,
  year(o.o_orderdate)                          as year,
  sum(l.l_extendedprice * (1 - l.l_discount))  as revenue
from shop.lineitem l
join shop.orders o   on o.o_orderkey = l.l_orderkey
join shop.customer c on c.c_custkey = o.o_custkey
join shop.nation n   on n.n_nationkey = c.c_nationkey
group by all
order by nation, year
