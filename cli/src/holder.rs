//! Who holds a directory's lock, so that a message can say whom to stop. Linux tells; elsewhere nobody does.

use crate::files;
use std::path::Path;

const LOCK_NAME: &str = "lock";

/// `process 1234 (bitmapistd)`, if it can be found out.
pub fn of(dir: &Path) -> Option<String> {
    let inode = files::inode(&dir.join(LOCK_NAME))?;
    let locks = files::read_text(Path::new("/proc/locks"))?;
    let id = holder_in(&locks, inode)?;
    let name = files::read_text(&Path::new("/proc").join(id.to_string()).join("comm"));
    let name = name.map(|name| format!(" ({})", name.trim())).unwrap_or_default();
    Some(format!("process {id}{name}"))
}

/// The process in the line of `/proc/locks` for a whole file's lock: `1: FLOCK ADVISORY WRITE 123 fe:00:4711 0 EOF`.
fn holder_in(locks: &str, inode: u64) -> Option<u32> {
    let suffix = format!(":{inode}");
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        words.find(|word| *word == "FLOCK")?;
        let id = words.nth(2)?.parse().ok()?;
        words.next()?.ends_with(&suffix).then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_among_others() {
        let locks = "1: POSIX  ADVISORY  WRITE 9 00:1a:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 12 00:1a:177 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 34 00:1a:77 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 56 00:1a:77 0 EOF\n";
        assert_eq!(holder_in(locks, 77), Some(34));
        assert_eq!(holder_in(locks, 7), None);
    }
}
