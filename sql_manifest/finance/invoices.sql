/*---
description: One invoice per order, exact to the cent. Its columns are agreed with the ledger.
owners: [team:finance]
tags: {domain: finance, confidential: "yes"}
group: finance_core
priority: 10
format: csv
compression: none
csv: {delimiter: ";", encoding: windows-1252, decimal: ",", date: "%d.%m.%Y"}  # the ledger's
on_schema_change: fail
columns:
  invoice_id: int64 not null
  customer_id: {type: int64, nullable: false}
  invoice_date: date not null
  net: decimal(18,2)
  gross: decimal(18,2)
checks:
  - unique: invoice_id
---*/
select
  o.o_orderkey                                                     as invoice_id,
  o.o_custkey                                                      as customer_id,
  o.o_orderdate                                                    as invoice_date,
  sum(l.l_extendedprice * (1 - l.l_discount))::decimal(18, 2)      as net,
  sum(l.l_extendedprice * (1 - l.l_discount) * (1 + l.l_tax))::decimal(18, 2) as gross
from shop.orders o
join shop.lineitem l on l.l_orderkey = o.o_orderkey
where o.o_orderdate >= date '1998-07-01'
group by all
order by invoice_id
