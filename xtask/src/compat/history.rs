//! The last commands on every key, so that a difference explains itself.

use super::case::Case;
use crate::wire::shown;
use std::collections::{HashMap, VecDeque};

const KEPT: usize = 6;

/// Commands in the order they were sent, by what they name.
#[derive(Default)]
pub struct History {
    sent: u64,
    recent: VecDeque<String>,
    by_argument: HashMap<Vec<u8>, VecDeque<(u64, String)>>,
}

impl History {
    pub fn add(&mut self, case: &Case) {
        self.sent += 1;
        let text = line(case);
        if self.recent.len() == 2 * KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(text.clone());
        for arg in case.args.iter().skip(1).filter(|arg| arg.len() < 400) {
            let last = self.by_argument.entry(arg.clone()).or_default();
            if last.back().is_some_and(|(at, _)| *at == self.sent) {
                continue;
            }
            if last.len() == KEPT {
                last.pop_front();
            }
            last.push_back((self.sent, text.clone()));
        }
    }

    pub fn clear(&mut self) {
        self.by_argument.clear();
        self.recent.clear();
    }

    /// The last commands, whatever they named.
    pub fn recent(&self) -> Vec<String> {
        self.recent.iter().cloned().collect()
    }

    /// The commands that last named one of `keys`, oldest first.
    pub fn about<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
        let mut found: Vec<&(u64, String)> =
            keys.filter_map(|key| self.by_argument.get(key)).flatten().collect();
        found.sort_unstable();
        found.dedup();
        let start = found.len().saturating_sub(2 * KEPT);
        found[start..].iter().map(|(_, text)| text.clone()).collect()
    }
}

/// A command as a person types it.
pub fn line(case: &Case) -> String {
    let words: Vec<String> = case
        .args
        .iter()
        .map(|arg| {
            let plain = !arg.is_empty() && arg.iter().all(u8::is_ascii_graphic);
            if plain { shown(arg) } else { format!("\"{}\"", shown(arg)) }
        })
        .collect();
    words.join(" ")
}
