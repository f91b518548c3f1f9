"""ClickHouse, tested against its real engine: `make test-warehouses`."""
