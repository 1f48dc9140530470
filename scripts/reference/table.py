"""Parquet files of all usual types for the tests of `table`, written by pyarrow."""

import datetime as dt
import decimal
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[2]


def types(n=500):
    """One column per type; every seventh row is null except in `id`."""
    def nulls(values):
        return [None if i % 7 == 3 else v for i, v in enumerate(values)]

    start = dt.datetime(2025, 1, 31, 12, 0, 0)
    times = [start + dt.timedelta(hours=i, microseconds=1000 * i) for i in range(n)]
    return pa.table({
        "id": pa.array([f"k{i:04d}" for i in range(n)]),
        "small": pa.array(nulls([i % 5 - 2 for i in range(n)]), pa.int8()),
        "large": pa.array(nulls([2**53 + 1 + i for i in range(n)]), pa.int64()),
        "unsigned": pa.array(nulls([2**32 - 1 - i for i in range(n)]), pa.uint32()),
        "single": pa.array(nulls([i / 4 for i in range(n)]), pa.float32()),
        "double": pa.array(nulls([i / 10 for i in range(n)]), pa.float64()),
        "flag": pa.array(nulls([i % 3 == 0 for i in range(n)]), pa.bool_()),
        "level": pa.array(nulls([["DSL", "Fiber, fast", 'say "no"'][i % 3] for i in range(n)])).dictionary_encode(),
        "day": pa.array(nulls([t.date() for t in times]), pa.date32()),
        "ms": pa.array(nulls(times), pa.timestamp("ms")),
        "us": pa.array(nulls(times), pa.timestamp("us", tz="UTC")),
        "ns": pa.array(nulls(times), pa.timestamp("ns")),
        "price": pa.array(nulls([decimal.Decimal(i - 250) / 4 for i in range(n)]), pa.decimal128(10, 2)),
        "list": pa.array([[i] for i in range(n)], pa.list_(pa.int32())),
    })


def write():
    table = types()
    tables = ROOT / "fixtures" / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, tables / "types.parquet", row_group_size=200, compression="zstd")
    flat = table.drop_columns(["list"])
    pq.write_table(flat, tables / "types_v2.parquet", row_group_size=300, compression="snappy", version="2.6",
                   data_page_version="2.0", use_dictionary=False,
                   column_encoding={"id": "DELTA_BYTE_ARRAY", "level": "DELTA_LENGTH_BYTE_ARRAY",
                                    "large": "DELTA_BINARY_PACKED", "double": "BYTE_STREAM_SPLIT"})


if __name__ == "__main__":
    write()
