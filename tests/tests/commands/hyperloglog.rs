//! HyperLogLogs.

use super::{fresh, talk};
use resp::Reply;

#[test]
fn elements_are_added_and_counted() {
    talk(
        r#"
        PFADD h → :1
        GET h → "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
        PFADD h → :0
        PFADD h a b c → :1
        PFADD h a b c → :0
        PFCOUNT h → :3
        GET h → "HYLL\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00`\xf3\x80P\xb1\x84K\xfb\x80BZ"
        PFADD other c d → :1
        PFCOUNT h other missing → :4
        PFCOUNT missing → :0
        PFCOUNT missing gone → :0
        PFMERGE sum h other missing → +OK
        PFCOUNT sum → :4
        PFMERGE new → +OK
        PFCOUNT new → :0
        TYPE h → +string
        OBJECT ENCODING h → "raw"
        PFDEBUG ENCODING h → +sparse
        PFDEBUG DECODE h → "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603"
        PFDEBUG TODENSE h → :1
        PFDEBUG TODENSE h → :0
        PFDEBUG ENCODING h → +dense
        PFDEBUG DECODE h → -ERR HLL encoding is not sparse
        STRLEN h → :12304
        PFCOUNT h → :3
        PFMERGE sum h → +OK
        PFDEBUG ENCODING sum → +dense
        "#,
    );
}

#[test]
fn strings_that_are_none_are_refused() {
    talk(
        r#"
        SET k text → +OK
        PFADD k a → -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFCOUNT k → -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFCOUNT missing k → -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFMERGE missing k → -WRONGTYPE Key is not a valid HyperLogLog string value.
        EXISTS missing → :0
        PFMERGE k → -WRONGTYPE Key is not a valid HyperLogLog string value.
        PFDEBUG ENCODING missing → -ERR The specified key does not exist
        PFADD h a → :1
        PFDEBUG FOO h → -ERR Unknown PFDEBUG subcommand 'FOO'
        SET k "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xfe" → +OK
        PFCOUNT k → -INVALIDOBJ Corrupted HLL object detected
        PFCOUNT k h → -INVALIDOBJ Corrupted HLL object detected
        PFMERGE h k → -INVALIDOBJ Corrupted HLL object detected
        PFDEBUG TODENSE k → -INVALIDOBJ Corrupted HLL object detected
        PFCOUNT h → :1
        "#,
    );
}

#[test]
fn many_elements_are_counted_about_and_the_count_is_remembered() {
    let (_dir, _server, mut client) = fresh();
    for chunk in 0..20 {
        let elements: Vec<String> = (0..1000).map(|n| (chunk * 1000 + n).to_string()).collect();
        client.run(&format!("PFADD h {}", elements.join(" ")));
    }
    let count = client.number("PFCOUNT h");
    assert!((19_400..=20_600).contains(&count), "{count}");
    let Reply::Bulk(string) = client.run("GET h") else { panic!("it is there") };
    assert_eq!(string[8..16], count.to_le_bytes());
    client.talk("PFDEBUG ENCODING h → +dense");
}
