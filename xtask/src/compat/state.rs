//! The whole contents of two servers, compared.

use super::compare::Compare;
use crate::wire::{Connection, Value, encode, shown};
use std::io;

/// Databases that commands are sent to.
pub const DATABASES: u8 = 4;

/// Every difference between the contents, in words; nothing if they are the same.
///
/// Leaves both connections in database 0.
///
/// # Errors
/// A connection broke.
pub fn differences(ours: &mut Connection, theirs: &mut Connection) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for db in 0..DATABASES {
        let db_text = db.to_string();
        let mut keys = Vec::new();
        for server in [&mut *ours, &mut *theirs] {
            server.call(&["SELECT", &db_text])?;
            keys.push(sorted(&server.call(&["KEYS", "*"])?));
        }
        for (one, other, whose) in [(0, 1, "only ours has"), (1, 0, "only theirs has")] {
            for key in keys[one].iter().filter(|key| keys[other].binary_search(key).is_err()) {
                found.push(format!("database {db}: {whose} the key \"{}\"", shown(key)));
            }
        }
        for key in keys[0].iter().filter(|key| keys[1].binary_search(key).is_ok()) {
            let asked = describe(ours, key)?;
            let answered = describe(theirs, key)?;
            for ((name, compare), (a, b)) in ASKED.iter().zip(asked.iter().zip(&answered)) {
                if !compare.agree(a, b) {
                    let key = shown(key);
                    found.push(format!("database {db}: {name} \"{key}\" is {a} here, {b} there"));
                }
            }
        }
    }
    for server in [ours, theirs] {
        server.call(&["SELECT", "0"])?;
    }
    Ok(found)
}

const ASKED: &[(&str, Compare)] = &[
    ("TYPE", Compare::Exact),
    ("STRLEN", Compare::Exact),
    ("PTTL", Compare::Milliseconds),
    ("BITCOUNT", Compare::Exact),
    ("GET", Compare::Exact),
    ("HGETALL", Compare::Pairs),
];

fn describe(server: &mut Connection, key: &[u8]) -> io::Result<Vec<Value>> {
    let mut request = Vec::new();
    for (name, _) in ASKED {
        encode(&[name.as_bytes(), key], &mut request);
    }
    server.send(&request)?;
    ASKED.iter().map(|_| Ok(server.receive()?.0)).collect()
}

fn sorted(reply: &Value) -> Vec<Vec<u8>> {
    let keys = reply.many().unwrap_or_default().iter();
    let mut keys: Vec<Vec<u8>> = keys.filter_map(|key| Some(key.text()?.to_vec())).collect();
    keys.sort_unstable();
    keys
}
