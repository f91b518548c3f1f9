/*---
description: Customers below zero. An empty result would be a surprise, so the last good one is kept.
owners: [team:finance]
warehouse: shop
on_empty: keep
checks:
  - between: {balance: [-1000, 0]}
---*/
select
  c_custkey as customer_id,
  c_name    as name,
  c_acctbal as balance
from shop.customer
where c_acctbal < 0
order by balance, customer_id
