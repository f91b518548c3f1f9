/*---
description: Revenue and orders per day, as the finance dashboard shows them.
owners: [team:sales, anna@example.com]
consumers: [finance dashboard]
tags: {domain: sales, tier: gold}
schedule: 0 6 * * 1-5
timezone: Europe/Berlin
freshness: 26h
describe: {orders: How many orders were placed.}
checks:
  - min_rows: 100
  - unique: order_date
  - not_null: [order_date, revenue]
---*/
select
  o_orderdate        as order_date, -- the day in the shop's time zone
  count(*)           as orders,
  sum(o_totalprice)  as revenue     -- in dollars, with tax
from shop.orders
where o_orderdate >= date '1998-01-01'
group by o_orderdate
order by o_orderdate
