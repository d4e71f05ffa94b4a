//! What the server does with its files by itself, and how fast.

use bitmap_store::{CompactionOptions, Compression};

/// Settings of compaction, compression and backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// Whether compaction gives the space of what is dead back.
    pub compaction: bool,
    /// Within which hours of the day (UTC) it begins: from the first, before the second. `None`: at any.
    pub compaction_window: Option<(u8, u8)>,
    /// How many bytes a second it reads and writes at most; 0: as many as it can.
    pub compaction_rate: u64,
    /// How many bytes a second a backup copies at most; 0: as many as it can.
    pub backup_rate: u64,
    /// How values are compressed as they are written.
    pub compression: Compression,
}

impl Default for Upkeep {
    fn default() -> Self {
        Upkeep {
            compaction: true,
            compaction_window: None,
            // Commands are to have the disk, too.
            compaction_rate: 64 << 20,
            backup_rate: 64 << 20,
            compression: Compression::Off,
        }
    }
}

impl Upkeep {
    /// Of a store with segments of this length.
    pub(crate) fn compaction_options(&self, segment_bytes: u32) -> Option<CompactionOptions> {
        self.compaction.then(|| CompactionOptions {
            window: self.compaction_window,
            ..CompactionOptions::for_segments(segment_bytes)
        })
    }
}

/// `"22-6"`: from ten at night to six in the morning; nothing: always.
pub(crate) fn parse_window(text: &str) -> Option<Option<(u8, u8)>> {
    if text.is_empty() {
        return Some(None);
    }
    let (from, to) = text.split_once('-')?;
    let hour = |text: &str| text.trim().parse().ok().filter(|hour| *hour <= 24_u8);
    let (from, to) = (hour(from)?, hour(to)?);
    (from < 24 && from != to).then_some(Some((from, to)))
}

/// As [`parse_window`] reads it.
pub(crate) fn window_name(window: Option<(u8, u8)>) -> String {
    window.map(|(from, to)| format!("{from}-{to}")).unwrap_or_default()
}

const COMPRESSIONS: [(&str, Compression); 4] = [
    ("off", Compression::Off),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::Zstd),
];

pub(crate) fn parse_compression(text: &str) -> Option<Compression> {
    COMPRESSIONS.iter().find(|(name, _)| *name == text).map(|(_, compression)| *compression)
}

pub(crate) fn compression_name(compression: Compression) -> &'static str {
    COMPRESSIONS.iter().find(|(_, found)| *found == compression).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_two_hours_of_the_day_and_may_go_over_midnight() {
        for (text, window) in [
            ("", Some(None)),
            ("22-6", Some(Some((22, 6)))),
            ("0-24", Some(Some((0, 24)))),
            ("24-6", None),
            ("6", None),
            ("6-6", None),
            ("-1-6", None),
            ("6-25", None),
            ("a-b", None),
        ] {
            assert_eq!(parse_window(text), window, "{text:?}");
            if let Some(window) = window {
                assert_eq!(window_name(window), text);
            }
        }
    }

    #[test]
    fn a_compression_has_a_name() {
        for (name, compression) in COMPRESSIONS {
            assert_eq!(
                (parse_compression(name), compression_name(compression)),
                (Some(compression), name)
            );
        }
        assert_eq!(parse_compression("gzip"), None);
    }
}
