//! Bars for what lasts: on the standard error, and only if that is a terminal.

use crate::output::Out;
use crate::units;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How far something has come, with its rate and the time that is left. Gone when it is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    /// Counts things; `total` 0 is not known.
    pub fn count(out: &Out, label: &'static str, total: u64) -> Self {
        Self::new(out, label, total, "{human_pos}/{human_len}", "{human_pos}", "{whole_per_sec}")
    }

    /// Counts bytes.
    pub fn bytes(out: &Out, label: &'static str, total: u64) -> Self {
        let (of, alone) = ("{binary_bytes}/{binary_total_bytes}", "{binary_bytes}");
        Self::new(out, label, total, of, alone, "{binary_bytes_per_sec}")
    }

    fn new(out: &Out, label: &'static str, total: u64, of: &str, alone: &str, rate: &str) -> Self {
        let bar = match total {
            0 => ProgressBar::no_length(),
            total => ProgressBar::new(total),
        };
        // Nothing is drawn where it is no terminal.
        bar.set_draw_target(match out.quiet || out.json {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        });
        let template = match total {
            0 => format!("{{msg}} {{spinner}} {alone} {rate}"),
            _ => format!("{{msg}} {{bar:30}} {of} {rate}, {{eta}} left"),
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}/s", units::count(state.per_sec() as u64));
            };
            bar.set_style(style.with_key("whole_per_sec", rate).progress_chars("=> "));
        }
        bar.set_message(label);
        if total == 0 {
            // Nobody may count: it turns by itself.
            bar.enable_steady_tick(std::time::Duration::from_millis(100));
        }
        Bar(bar)
    }

    pub fn set(&self, position: u64) {
        self.0.set_position(position);
    }

    /// What is only known later.
    pub fn set_total(&self, total: u64) {
        if self.0.length() != Some(total) {
            self.0.set_length(total);
        }
    }

    pub fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    pub fn label(&self, label: &'static str) {
        self.0.set_message(label);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
