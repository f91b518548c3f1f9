/*---
description: One row of every type, at its limits; what a file must not bend.
owners: [team:platform]
integers: decimal # by default int64, which refuses 38 digits
timestamps: us # what Snowflake's and DuckDB's nanoseconds become
numeric: decimal(38,9) # what Postgres' numeric without a precision becomes
---*/
select
  true                                            as a_boolean,
  9223372036854775807::bigint                     as a_bigint,
  12345678901234567890123456789012345678::hugeint as a_38_digit_integer,
  1234567890123456789012345678.0123456789::decimal(38, 10) as a_decimal,
  0.1::double                                     as a_double,
  date '0001-01-01'                               as the_first_day,
  timestamp '9999-12-31 23:59:59.999999'          as the_last_microsecond,
  timestamptz '2026-03-29 02:30:00+01:00'         as in_a_time_zone,
  time '23:59:59.999999'                          as a_time,
  ''                                              as an_empty_text,
  null::integer                                   as a_null_integer,
  'Grüße, "世界" 🙂'                               as some_text,
  '\x00\xff'::blob                                as some_bytes,
  [1, null, 3]                                    as a_list,
  {'a': 1, 'b': 'x'}                              as a_struct
