"""What a Python worker of Spark may send."""

import os

import pytest

pytest.importorskip("pyspark")


def test_telemetry_is_off_in_tasks(spark):
    def switches(batches):
        import framefind  # noqa: F401  as what runs there does

        for batch in batches:
            batch["off"] = os.environ.get("ORT_DISABLE_TELEMETRY")
            yield batch

    (row,) = spark.range(1).mapInPandas(switches, "id long, off string").collect()
    assert row.off == "1"
