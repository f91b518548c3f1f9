/*---
description: Parts that are recalled. Usually none, and then the file has its columns and no rows.
owners: [team:logistics]
enabled: false
on_change: materialize
on_empty: publish
---*/
select
  p_partkey as part_id,
  p_name    as name,
  p_mfgr    as manufacturer
from shop.part
where p_comment = 'recalled'
