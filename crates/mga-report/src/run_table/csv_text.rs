//! The table as CSV.

use mga_train::csv_file::CsvFile;

use super::table::RunTable;

/// Writes the table as CSV: a header, and one line per run. A missing value is empty, numbers are read back to the bit,
/// and no cell is a formula.
///
/// # Errors
/// Never in practice: it is written to memory.
pub fn to_csv(table: &RunTable) -> anyhow::Result<Vec<u8>> {
    let mut file = CsvFile::new();
    file.row(table.columns.iter().map(|column| &column.name))?;
    for row in 0..table.rows() {
        file.row(table.columns.iter().map(|column| column.text(row)))?;
    }
    Ok(file.text()?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn values_come_back() {
        let (_folder, records) = fixture::records();
        let table = RunTable::of(&records);
        let text = to_csv(&table).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let header = reader.headers().unwrap().clone();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 4);
        let at =
            |name: &str, row: usize| rows[row][header.iter().position(|column| column == name).unwrap()].to_owned();
        assert_eq!(["key", "top1", "last.top1", "error"].map(|name| at(name, 0)), ["none.seed-1", "0.5", "1.0", ""]);
        assert_eq!(["state", "error", "top1"].map(|name| at(name, 2)), ["failed", "the loss is NaN", ""]);
        assert_eq!(at("environment.command", 1), r#"["mga","train, \"it\""]"#);
    }
}
