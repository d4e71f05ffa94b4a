//! The table of figures.

/// Which of two is better, and how much the ratio counts.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// More is better.
    PerSecond,
    /// Less is better.
    Microseconds,
    Milliseconds,
    Mebibytes,
    Bytes,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// So many times as good as Redis.
    Times(f64),
    /// At most so much, in the unit.
    AtMost(f64),
    /// Nothing: it is there to be seen.
    Seen,
}

#[derive(Default)]
pub struct Table {
    rows: Vec<String>,
    notes: Vec<String>,
    failed: bool,
}

impl Table {
    pub fn add(&mut self, what: &str, unit: Unit, ours: f64, theirs: Option<f64>, target: Target) {
        let ratio = theirs.map(|theirs| match unit {
            Unit::PerSecond => ours / theirs,
            _ => theirs / ours,
        });
        let (aim, met) = match target {
            Target::Times(times) => (format!("≥ {times} ×"), ratio.map(|ratio| ratio >= times)),
            Target::Seen => ("–".into(), None),
            Target::AtMost(most) => (format!("≤ {}", shown(unit, most)), Some(ours <= most)),
        };
        let verdict = match met {
            Some(true) => "ok",
            Some(false) => "missed",
            None => "",
        };
        let theirs = theirs.map_or("–".into(), |theirs| shown(unit, theirs));
        let ratio = ratio.map_or("–".into(), |ratio| format!("{ratio:.2} ×"));
        let ours = shown(unit, ours);
        self.rows.push(format!("| {what} | {ours} | {theirs} | {ratio} | {aim} | {verdict} |"));
    }

    /// Says that something is not in the table, and why.
    pub fn note(&mut self, text: &str) {
        self.failed |= text.contains("could not");
        self.notes.push(text.to_owned());
    }

    pub fn failed(&self) -> bool {
        self.failed
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn rows_from(&self, start: usize) -> String {
        self.rows[start..].iter().map(|row| format!("{row}\n")).collect()
    }

    pub fn markdown(&self) -> String {
        let mut text = "| what | bitmapistd | redis-server | ratio | target | |\n\
                        |---|---:|---:|---:|---:|---|\n"
            .to_owned();
        text.push_str(&self.rows_from(0));
        for note in &self.notes {
            text.push_str(&format!("\n- {note}"));
        }
        text
    }
}

fn shown(unit: Unit, value: f64) -> String {
    match unit {
        Unit::PerSecond if value >= 10_000.0 => format!("{:.0} k/s", value / 1000.0),
        Unit::PerSecond => format!("{value:.0} /s"),
        Unit::Microseconds if value >= 10_000.0 => format!("{:.1} ms", value / 1000.0),
        Unit::Microseconds => format!("{value:.0} µs"),
        Unit::Milliseconds => format!("{value:.0} ms"),
        Unit::Mebibytes => format!("{value:.0} MiB"),
        Unit::Bytes => format!("{value:.1} B"),
    }
}
