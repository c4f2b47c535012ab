//! The table as Parquet, with the types of its columns.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use super::column::{Column, Kind};
use super::table::RunTable;

/// Writes the table as Parquet, one row per run. Every column may hold nulls. The data is compressed with Snappy.
///
/// # Errors
/// Never in practice: it is written to memory.
pub fn to_parquet(table: &RunTable) -> anyhow::Result<Vec<u8>> {
    let fields: Vec<Field> =
        table.columns.iter().map(|column| Field::new(&column.name, data_type(column.kind), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), table.columns.iter().map(array).collect())?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = vec![];
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Text => DataType::Utf8,
    }
}

fn array(column: &Column) -> ArrayRef {
    let values = column.values.iter();
    match column.kind {
        Kind::Boolean => Arc::new(values.map(Value::as_bool).collect::<BooleanArray>()),
        Kind::Integer => Arc::new(values.map(Value::as_i64).collect::<Int64Array>()),
        Kind::Float => Arc::new(values.map(Value::as_f64).collect::<Float64Array>()),
        Kind::Text => Arc::new(values.map(Value::as_str).collect::<StringArray>()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    // What is in the file is read by pandas and polars in scripts/results/pandas.sh; here only that it is one.
    #[test]
    fn a_parquet_file_with_every_column() {
        let (_folder, records) = fixture::records();
        let table = RunTable::of(&records);
        let bytes = to_parquet(&table).unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        let whole = String::from_utf8_lossy(&bytes).into_owned();
        assert!(table.columns.iter().all(|column| whole.contains(&column.name)));
        assert_eq!(array(table.column("top1").unwrap()).null_count(), 2);
    }
}
