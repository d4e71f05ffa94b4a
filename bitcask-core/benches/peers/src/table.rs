//! The table of figures: engines are columns.

use crate::engine::Name;

/// How a figure is written, and which of two is better.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// More is better.
    PerSecond,
    /// Less is better.
    Seconds,
    Bytes,
    Times,
    /// More is better.
    Share,
    Percent,
}

/// What is to be reached by ours.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// No other is better, except those named as promising less.
    Fastest,
    /// No other is better, or LMDB by no more than so many times.
    NearLmdb(f64),
    AtMost(f64),
    AtLeast(f64),
    /// Nothing: it is there to be seen.
    Seen,
}

/// A row to be.
pub struct Row {
    pub what: String,
    pub unit: Unit,
    pub target: Target,
    /// What was found, for each engine.
    pub cells: Vec<(Name, Cell)>,
}

#[derive(Clone, Debug)]
pub enum Cell {
    Value(f64),
    /// A value that promises less than the others do: it is marked, and not compared.
    Lesser(f64),
    /// A value with an explanation.
    Explained(f64, String),
    Missing,
}

impl Cell {
    fn value(&self) -> Option<f64> {
        match self {
            Cell::Value(value) | Cell::Explained(value, _) => Some(*value),
            Cell::Lesser(_) | Cell::Missing => None,
        }
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Cell::Missing, Cell::Value)
    }
}

pub struct Table {
    engines: Vec<Name>,
    rows: Vec<String>,
    notes: Vec<String>,
}

impl Table {
    pub fn new(engines: &[Name]) -> Self {
        Table { engines: engines.to_vec(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row, and shows it on standard error, as the whole takes a while.
    pub fn add(&mut self, row: &Row) {
        let cell = |name: &Name| {
            let found = row.cells.iter().find(|(engine, _)| engine == name);
            match found.map(|(_, cell)| cell) {
                None | Some(Cell::Missing) => "–".to_owned(),
                Some(Cell::Value(value)) => shown(row.unit, *value),
                Some(Cell::Lesser(value)) => format!("({})", shown(row.unit, *value)),
                Some(Cell::Explained(value, why)) => format!("{} {why}", shown(row.unit, *value)),
            }
        };
        let cells: Vec<String> = self.engines.iter().map(cell).collect();
        let aim = match row.target {
            Target::Fastest => "fastest".into(),
            Target::NearLmdb(times) => format!("fastest, or LMDB / {times}"),
            Target::AtMost(most) => format!("≤ {}", shown(row.unit, most)),
            Target::AtLeast(least) => format!("≥ {}", shown(row.unit, least)),
            Target::Seen => "–".into(),
        };
        let verdict = match row.is_met() {
            Some(true) => "ok",
            Some(false) => "missed",
            None => "",
        };
        let row = format!("| {} | {} | {aim} | {verdict} |", row.what, cells.join(" | "));
        eprintln!("{row}");
        self.rows.push(row);
    }

    /// Says something below the table.
    pub fn note(&mut self, text: String) {
        eprintln!("{text}");
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    pub fn markdown(&self) -> String {
        let names: Vec<&str> = self.engines.iter().map(|name| name.shown()).collect();
        let mut text = format!("| what | {} | target | |\n|---|", names.join(" | "));
        text.push_str(&"---:|".repeat(names.len() + 1));
        text.push_str("---|\n");
        text.extend(self.rows.iter().map(|row| format!("{row}\n")));
        text.extend(self.notes.iter().map(|note| format!("\n- {note}")));
        text
    }
}

impl Row {
    fn is_met(&self) -> Option<bool> {
        let value = |name| {
            self.cells.iter().find(|(engine, _)| *engine == name).and_then(|(_, cell)| cell.value())
        };
        let ours = value(Name::Bitcask)?;
        let others = || self.cells.iter().filter(|(engine, _)| *engine != Name::Bitcask);
        // Alone in the table is no victory.
        let compared = others().any(|(_, cell)| cell.value().is_some());
        let best = |but_lmdb: bool| {
            others()
                .filter(|(engine, _)| !(but_lmdb && *engine == Name::Lmdb))
                .filter_map(|(_, cell)| cell.value())
                .all(|theirs| ours >= theirs)
        };
        match self.target {
            Target::Fastest => compared.then(|| best(false)),
            Target::NearLmdb(times) => compared.then(|| {
                best(true) && value(Name::Lmdb).is_none_or(|theirs| ours * times >= theirs)
            }),
            Target::AtMost(most) => Some(ours <= most),
            Target::AtLeast(least) => Some(ours >= least),
            Target::Seen => None,
        }
    }
}

/// A figure with its unit, in three digits or so.
pub fn shown(unit: Unit, value: f64) -> String {
    match unit {
        Unit::PerSecond if value >= 1e6 => format!("{:.2} M/s", value / 1e6),
        Unit::PerSecond if value >= 1e4 => format!("{:.0} k/s", value / 1e3),
        Unit::PerSecond => format!("{value:.0} /s"),
        Unit::Seconds if value >= 1.0 => format!("{value:.2} s"),
        Unit::Seconds if value >= 0.01 => format!("{:.0} ms", value * 1e3),
        Unit::Seconds if value >= 0.001 => format!("{:.1} ms", value * 1e3),
        Unit::Seconds => format!("{:.1} µs", value * 1e6),
        Unit::Bytes if value >= 1e9 => format!("{:.2} GB", value / 1e9),
        Unit::Bytes if value >= 1e6 => format!("{:.0} MB", value / 1e6),
        Unit::Bytes if value >= 1e4 => format!("{:.0} kB", value / 1e3),
        Unit::Bytes => format!("{value:.1} B"),
        Unit::Times => format!("{value:.2} ×"),
        Unit::Share => format!("{value:.2}"),
        Unit::Percent => format!("{value:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(target: Target, ours: f64, theirs: &[(Name, Cell)]) -> Option<bool> {
        let mut cells = theirs.to_vec();
        cells.push((Name::Bitcask, Cell::Value(ours)));
        Row { what: String::new(), unit: Unit::PerSecond, target, cells }.is_met()
    }

    #[test]
    fn fastest_means_of_those_that_promise_as_much() {
        let theirs = [(Name::Redb, Cell::Value(2.0)), (Name::Sled, Cell::Lesser(9.0))];
        assert_eq!(met(Target::Fastest, 2.0, &theirs), Some(true));
        assert_eq!(met(Target::Fastest, 1.9, &theirs), Some(false));
        assert_eq!(met(Target::Fastest, 2.0, &theirs[1..]), None);
    }

    #[test]
    fn lmdb_may_be_a_little_faster_and_nobody_else() {
        let lmdb = (Name::Lmdb, Cell::Value(1.2));
        assert_eq!(met(Target::NearLmdb(1.2), 1.0, std::slice::from_ref(&lmdb)), Some(true));
        assert_eq!(met(Target::NearLmdb(1.2), 0.9, std::slice::from_ref(&lmdb)), Some(false));
        let redb = (Name::Redb, Cell::Value(1.1));
        assert_eq!(met(Target::NearLmdb(1.2), 1.0, &[lmdb, redb]), Some(false));
    }
}
