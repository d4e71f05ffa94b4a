//! What a command has found out: named figures and tables, which are printed as aligned text or as JSON.

use crate::exit::Failure;
use crate::json::Json;
use crate::output::Out;
use crate::units;
use bitcask_core::UnixMillis;

/// A figure: as JSON, and as people read it.
pub struct Value {
    json: Json,
    shown: String,
    is_number: bool,
}

impl Value {
    pub fn count(number: u64) -> Self {
        Value { json: number.into(), shown: units::count(number), is_number: true }
    }

    /// A number that is a name, such as that of a segment.
    pub fn id(number: u64) -> Self {
        Value { json: number.into(), shown: number.to_string(), is_number: true }
    }

    pub fn bytes(count: u64) -> Self {
        Value { json: count.into(), shown: units::bytes(count), is_number: true }
    }

    /// 0 to 1, shown in percent.
    pub fn share(share: f64) -> Self {
        let shown = format!("{:.1} %", share * 100.0);
        Value { json: Json::Float(share), shown, is_number: true }
    }

    /// With so many digits behind the point.
    pub fn decimal(number: f64, digits: usize) -> Self {
        Value { json: Json::Float(number), shown: format!("{number:.digits$}"), is_number: true }
    }

    pub fn text(text: impl Into<String>) -> Self {
        let shown = text.into();
        Value { json: Json::Text(shown.clone()), shown, is_number: false }
    }

    pub fn yes(yes: bool) -> Self {
        let shown = if yes { "yes" } else { "no" };
        Value { json: yes.into(), shown: shown.into(), is_number: false }
    }

    pub fn moment(at: UnixMillis) -> Self {
        Value { json: at.0.into(), shown: units::moment(at), is_number: false }
    }

    /// A figure that may not be known or not be there.
    pub fn or(value: Option<Value>, otherwise: &str) -> Self {
        let none = || Value { json: Json::Null, shown: otherwise.into(), is_number: false };
        value.unwrap_or_else(none)
    }

    /// Text for people, something else for scripts.
    pub fn both(json: Json, shown: impl Into<String>) -> Self {
        Value { json, shown: shown.into(), is_number: false }
    }
}

/// Figures, one below the other. Names are those of JSON; people read spaces for underscores.
#[derive(Default)]
pub struct Report {
    fields: Vec<(&'static str, Value)>,
    tables: Vec<(&'static str, Table)>,
}

impl Report {
    pub fn add(&mut self, name: &'static str, value: Value) -> &mut Self {
        self.fields.push((name, value));
        self
    }

    /// A table below the figures; left out for people if it is empty.
    pub fn table(&mut self, name: &'static str, table: Table) -> &mut Self {
        self.tables.push((name, table));
        self
    }

    pub fn print(self, out: &mut Out) -> Result<(), Failure> {
        if out.json {
            let mut fields: Vec<_> =
                self.fields.into_iter().map(|(name, value)| (name, value.json)).collect();
            fields.extend(self.tables.into_iter().map(|(name, table)| (name, table.json())));
            return out.json(&Json::Object(fields));
        }
        let width = self.fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.fields {
            out.line(&format!("{:width$}  {}", name.replace('_', " "), value.shown))?;
        }
        for (name, table) in self.tables {
            if !table.rows.is_empty() {
                out.line(&format!("\n{}:", name.replace('_', " ")))?;
                table.print_text(out)?;
            }
        }
        Ok(())
    }
}

/// Rows of figures.
pub struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
}

impl Table {
    pub fn new(columns: &'static [&'static str]) -> Self {
        Table { columns, rows: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<Value>) {
        assert_eq!(cells.len(), self.columns.len(), "a row has a cell for each column");
        self.rows.push(cells);
    }

    fn json(self) -> Json {
        let columns = self.columns;
        let row = |cells: Vec<Value>| {
            let values = cells.into_iter().map(|cell| cell.json);
            Json::Object(columns.iter().copied().zip(values).collect())
        };
        Json::Array(self.rows.into_iter().map(row).collect())
    }

    pub fn print_text(&self, out: &mut Out) -> Result<(), Failure> {
        let heads: Vec<String> = self.columns.iter().map(|name| name.replace('_', " ")).collect();
        let width_of = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].shown.chars().count());
            cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heads.len()).map(width_of).collect();
        // Numbers stand at the right, and so do their heads.
        let at_right = |column: usize| self.rows.iter().any(|row| row[column].is_number);
        let line = |cells: Vec<&str>| {
            let padded = cells.iter().enumerate().map(|(i, cell)| {
                let width = widths[i];
                if at_right(i) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        out.line(&line(heads.iter().map(String::as_str).collect()))?;
        for row in &self.rows {
            out.line(&line(row.iter().map(|cell| cell.shown.as_str()).collect()))?;
        }
        Ok(())
    }
}
