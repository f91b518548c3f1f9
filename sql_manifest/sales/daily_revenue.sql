/*---
description: Revenue and orders per day, as the finance dashboard shows them.
owners: [team:sales, anna@example.com]
tags: {domain: sales, tier: gold}
schedule: 0 6 * * 1-5
timezone: Europe/Berlin
freshness: 26h
checks:
  - min_rows: 100
  - unique: order_date
  - not_null: [order_date, revenue]
---*/
select
  o_orderdate        as order_date,
  count(*)           as orders,
  sum(o_totalprice)  as revenue
from shop.orders
where o_orderdate >= date '1998-01-01'
group by o_orderdate
order by o_orderdate
