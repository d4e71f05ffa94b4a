//! Opening by path.

use super::model::{Writer, sample};
use super::*;
use crate::Error;
use crate::storage::disk::DiskDir;
use crate::storage::{Dir, write_all_at};

#[test]
fn the_layout_shows_and_what_is_none_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let make = |path: &str, writer: Writer| {
        let dir = DiskDir::open(temporary.path().join(path)).unwrap();
        for (file, data) in writer.run(&sample()).0 {
            write_all_at(&*dir.create(&writer.name(file)).unwrap(), &data, 0).unwrap();
        }
        dir
    };
    let at = |path: &str| Directory::open(temporary.path().join(path), DirectoryOptions::default());
    make("basho", Writer::Basho);
    make("prologic", Writer::PrologicV1);
    make("bitgask/data", Writer::Bitgask);
    make("merging/data.old", Writer::Bitgask);
    DiskDir::open(temporary.path().join("merging/data")).unwrap();
    let inner = make("inner", Writer::Bitgask);
    inner.create("bitgask.meta").unwrap();
    for (path, layout) in [
        ("basho", Layout::Basho),
        ("prologic", Layout::Prologic),
        ("bitgask", Layout::Bitgask),
        ("merging", Layout::Bitgask),
        ("inner", Layout::Bitgask),
    ] {
        let directory = at(path).unwrap();
        assert_eq!(directory.report().layout, layout, "{path}");
        assert_eq!((directory.len(), directory.report().skipped), (3, 0), "{path}");
    }
    DiskDir::open(temporary.path().join("empty")).unwrap();
    assert!(matches!(at("empty"), Err(Error::Unrecognised { .. })));
    assert!(matches!(at("missing"), Err(Error::Missing { .. })));
    inner.create("plain").unwrap();
    assert!(matches!(at("inner/plain"), Err(Error::NotADirectory { .. })));
    // Held by their writers.
    for (path, lock) in [("bitgask", "LOCK"), ("prologic", "lock")] {
        let dir = DiskDir::open(temporary.path().join(path)).unwrap();
        let held = dir.try_lock(lock).unwrap().unwrap();
        assert!(matches!(at(path), Err(Error::Locked { .. })), "{path}");
        drop(held);
        let directory = at(path).unwrap();
        assert!(dir.try_lock(lock).unwrap().is_none(), "nobody writes while it is read");
        drop(directory);
    }
}
