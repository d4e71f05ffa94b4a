//! The classic layout against a reader and writer of it in Python, which shares nothing with this crate. Where
//! there is no Python, these tests pass without having tested anything, and say so.

use bitcask_core::classic::{self, Directory, DirectoryOptions, ExportOptions};
use bitcask_core::{Batch, Bitcask, CompactionOptions, KeyRange, Options, UnixMillis};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// Runs Python in the directory of its tests; `None` if there is none.
fn python(arguments: &[&str], input: &str) -> Option<Output> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python");
    let mut command = Command::new("python3");
    command.arg("-B").args(arguments).current_dir(dir);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => {
            eprintln!("not tested, python3 does not start: {e}");
            return None;
        }
    };
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn the_reader_in_python_passes_its_own_tests() {
    python(&["-m", "unittest", "test_classic_reader"], "");
}

#[test]
fn what_is_exported_is_what_python_reads_hints_and_all() {
    let temporary = tempfile::tempdir().unwrap();
    let store = Bitcask::open(temporary.path().join("store"), Options::default()).unwrap();
    let mut wanted = String::new();
    let mut batch = Batch::new(NOW);
    let mut expect = |batch: &mut Batch, key: &[u8], value: &[u8]| {
        batch.put(key, value, None);
        let _ = writeln!(wanted, "{} {} {}", hex(key), hex(value), NOW.0 / 1000);
    };
    for n in 0..500_u16 {
        expect(&mut batch, &[&n.to_be_bytes()[..], b"key"].concat(), &vec![n as u8; n.into()]);
    }
    expect(&mut batch, &[b'l'; 65_535], b"");
    batch.delete(b"never there");
    store.write(&mut batch).unwrap();
    for (name, max_file_bytes) in [("one", 1 << 31), ("many", 4096)] {
        let path = temporary.path().join(name);
        let options = ExportOptions { max_file_bytes };
        let report = classic::export(&store, &path, &options, NOW, &mut |_| {}).unwrap();
        assert_eq!((report.entries, report.skipped), (501, 0));
        let arguments = ["classic_reader.py", "dump", path.to_str().unwrap()];
        let Some(output) = python(&arguments, "") else { return };
        assert!(String::from_utf8(output.stdout).unwrap() == wanted, "{name}");
    }
}

#[test]
fn what_python_writes_is_what_is_read() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut script, mut wanted) = (String::new(), BTreeMap::new());
    let mut random = 1_u64;
    for n in 0..2000_u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n);
        let key = vec![b'k'; (random >> 40) as usize % 40];
        match random >> 60 {
            0 => script.push_str("rotate\n"),
            1..5 => {
                let _ = writeln!(script, "delete {}", hex(&key));
                wanted.remove(&key);
            }
            _ => {
                let value = n.to_be_bytes().repeat((random >> 50) as usize % 5);
                let _ = writeln!(script, "put {} {}", hex(&key), hex(&value));
                wanted.insert(key, value);
            }
        }
    }
    let path = temporary.path().join("classic");
    let arguments = ["classic_reader.py", "write", path.to_str().unwrap()];
    if python(&arguments, &script).is_none() {
        return;
    }
    let directory = Directory::open(&path, DirectoryOptions::default()).unwrap();
    let entries = directory.entries().map(|entry| entry.map(|entry| (entry.key, entry.value)));
    assert_eq!(entries.collect::<Result<BTreeMap<_, _>, _>>().unwrap(), wanted);
    assert!(wanted.len() > 10 && directory.report().files > 50);
    assert_eq!(directory.report().skipped, 0);
    drop(directory);

    // And in place, also once nothing of Python's is left.
    for compacted in [false, true] {
        let store = Bitcask::open(&path, Options::default()).unwrap();
        let entries = store.entries(KeyRange::all(), NOW);
        let found = entries.map(|entry| entry.map(|entry| (entry.key, entry.value)));
        assert_eq!(found.collect::<Result<BTreeMap<_, _>, _>>().unwrap(), wanted);
        assert_eq!(store.recovery().classic.is_none(), compacted);
        let everything = CompactionOptions::everything();
        store.compact(&everything, NOW, &mut |_| ControlFlow::Continue(())).unwrap();
        store.close().unwrap();
        let left = path.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("bitcask")));
    }
}
