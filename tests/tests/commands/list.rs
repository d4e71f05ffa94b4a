//! Lists.

use super::{fresh, talk};
use resp::Reply;

#[test]
fn elements_are_pushed_and_popped_at_both_ends() {
    talk(
        r#"
        RPUSH l a b c → :3
        LPUSH l z y → :5
        LRANGE l 0 -1 → ["y", "z", "a", "b", "c"]
        LLEN l → :5
        LPOP l → "y"
        RPOP l → "c"
        LPOP l 2 → ["z", "a"]
        LPOP l 0 → []
        RPOP l 9 → ["b"]
        EXISTS l → :0
        LPOP l → nil
        LPOP l 1 → nil[]
        LPOP l 0 → nil[]
        LPUSHX l a → :0
        RPUSHX l a → :0
        EXISTS l → :0
        RPUSH l a → :1
        RPUSHX l b c → :3
        LPUSHX l z → :4
        TYPE l → +list
        OBJECT ENCODING l → "quicklist"
        LPOP l -1 → -ERR value is out of range, must be positive
        LPOP l x → -ERR value is out of range, must be positive
        LPOP l 1 2 → -ERR wrong number of arguments for 'lpop' command
        LPUSH l → -ERR wrong number of arguments for 'lpush' command
        "#,
    );
}

#[test]
fn elements_are_found_changed_inserted_and_removed_by_index_and_value() {
    talk(
        r#"
        RPUSH l a b c a d a → :6
        LINDEX l 0 → "a"
        LINDEX l -2 → "d"
        LINDEX l 6 → nil
        LINDEX l x → -ERR value is not an integer or out of range
        LINDEX missing x → nil
        LSET l 1 B → +OK
        LSET l 6 x → -ERR index out of range
        LSET l x y → -ERR value is not an integer or out of range
        LSET missing x y → -ERR no such key
        LINSERT l BEFORE c n → :7
        LINSERT l after c m → :8
        LRANGE l 0 -1 → ["a", "B", "n", "c", "m", "a", "d", "a"]
        LINSERT l BEFORE missing n → :-1
        LINSERT missing BEFORE a n → :0
        LINSERT missing foo a n → -ERR syntax error
        LREM l -1 a → :1
        LREM l 1 a → :1
        LRANGE l 0 -1 → ["B", "n", "c", "m", "a", "d"]
        LREM l 0 missing → :0
        LREM l x a → -ERR value is not an integer or out of range
        LTRIM l 1 -2 → +OK
        LRANGE l -100 100 → ["n", "c", "m", "a"]
        LRANGE l 2 1 → []
        LRANGE l 9 12 → []
        LRANGE missing 0 -1 → []
        LRANGE l a b → -ERR value is not an integer or out of range
        LTRIM l 2 1 → +OK
        EXISTS l → :0
        LTRIM missing 0 0 → +OK
        "#,
    );
}

#[test]
fn positions_are_those_of_redis_with_every_option() {
    talk(
        r#"
        RPUSH l a b c 1 2 3 c c → :8
        LPOS l c → :2
        LPOS l c RANK 2 → :6
        LPOS l c RANK -1 → :7
        LPOS l c COUNT 2 → [:2, :6]
        LPOS l c COUNT 0 → [:2, :6, :7]
        LPOS l c RANK -1 COUNT 2 → [:7, :6]
        LPOS l c COUNT 0 MAXLEN 7 → [:2, :6]
        LPOS l c MAXLEN 2 → nil
        LPOS l x COUNT 0 → []
        LPOS l c RANK 9 → nil
        LPOS l c RANK -9223372036854775808 → :7
        LPOS missing c → nil
        LPOS missing c COUNT 0 → []
        LPOS l c RANK 0 → -ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list
        LPOS l c COUNT -1 → -ERR COUNT can't be negative
        LPOS l c COUNT x → -ERR COUNT can't be negative
        LPOS l c MAXLEN -1 → -ERR MAXLEN can't be negative
        LPOS l c RANK x → -ERR value is not an integer or out of range
        LPOS l c RANK → -ERR syntax error
        LPOS l c FOO 1 → -ERR syntax error
        "#,
    );
}

#[test]
fn elements_move_between_lists_and_round_one() {
    talk(
        r#"
        RPUSH a 1 2 3 → :3
        LMOVE a b LEFT RIGHT → "1"
        LMOVE a b RIGHT LEFT → "3"
        LRANGE b 0 -1 → ["3", "1"]
        RPOPLPUSH b a → "1"
        LRANGE a 0 -1 → ["1", "2"]
        RPOPLPUSH a a → "2"
        LRANGE a 0 -1 → ["2", "1"]
        LMOVE a a LEFT LEFT → "2"
        LMOVE b c LEFT LEFT → "3"
        EXISTS b → :0
        LMOVE b c LEFT LEFT → nil
        LMOVE b c foo LEFT → -ERR syntax error
        RPUSH one x → :1
        EXPIRE one 1000 → :1
        LMOVE one one LEFT RIGHT → "x"
        TTL one → :1000
        LMPOP 2 missing a LEFT → ["a", ["2"]]
        LMPOP 2 missing a RIGHT COUNT 9 → ["a", ["1"]]
        LMPOP 1 a LEFT → nil[]
        LMPOP 0 a LEFT → -ERR numkeys should be greater than 0
        LMPOP x a LEFT → -ERR numkeys should be greater than 0
        LMPOP 2 a LEFT → -ERR syntax error
        LMPOP 1 a foo → -ERR syntax error
        LMPOP 1 a LEFT COUNT 0 → -ERR count should be greater than 0
        LMPOP 1 a LEFT COUNT → -ERR syntax error
        LMPOP 1 a LEFT COUNT 1 COUNT 2 → -ERR syntax error
        COMMAND GETKEYS LMPOP 2 a b LEFT → ["a", "b"]
        COMMAND GETKEYS BLMPOP 0 2 a b LEFT → ["a", "b"]
        "#,
    );
}

#[test]
fn lists_and_other_types_keep_apart() {
    talk(
        r#"
        SET s x → +OK
        LPUSH s a → -WRONGTYPE Operation against a key holding the wrong kind of value
        LPOP s → -WRONGTYPE Operation against a key holding the wrong kind of value
        LLEN s → -WRONGTYPE Operation against a key holding the wrong kind of value
        LPOS s a → -WRONGTYPE Operation against a key holding the wrong kind of value
        LMPOP 2 missing s LEFT → -WRONGTYPE Operation against a key holding the wrong kind of value
        BLPOP missing s 1 → -WRONGTYPE Operation against a key holding the wrong kind of value
        LMOVE missing s LEFT LEFT → nil
        RPUSH l a → :1
        LMOVE l s LEFT LEFT → -WRONGTYPE Operation against a key holding the wrong kind of value
        LLEN l → :1
        GET l → -WRONGTYPE Operation against a key holding the wrong kind of value
        BITFIELD l → -WRONGTYPE Operation against a key holding the wrong kind of value
        SETRANGE l 536870912 x → -WRONGTYPE Operation against a key holding the wrong kind of value
        HGET l a → -WRONGTYPE Operation against a key holding the wrong kind of value
        SET l x → +OK
        TYPE l → +string
        "#,
    );
}

#[test]
fn a_long_list_is_there_after_a_restart_and_its_middle_is_found() {
    let (dir, server, mut client) = fresh();
    let element = |n: usize| format!("element:{n:05}");
    for chunk in (0..5000).collect::<Vec<_>>().chunks(500) {
        let mut args = vec![b"RPUSH".to_vec(), b"l".to_vec()];
        args.extend(chunk.iter().map(|n| element(*n).into_bytes()));
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        assert_eq!(client.call(&args), Reply::Int(chunk[499] as i64 + 1));
    }
    server.stop();
    let server = tests::Server::start(&dir, &[]);
    let mut client = server.client();
    assert_eq!(client.ask("LLEN l"), ":5000");
    for n in [0, 1, 700, 2500, 4300, 4999] {
        assert_eq!(client.ask(&format!("LINDEX l {n}")), format!("\"{}\"", element(n)));
        assert_eq!(client.ask(&format!("LPOS l {}", element(n))), format!(":{n}"));
    }
    assert_eq!(client.ask("LINSERT l AFTER element:02500 new"), ":5001");
    assert_eq!(client.ask("LINDEX l 2501"), "\"new\"");
    assert_eq!(client.ask("LTRIM l 2500 2502"), "+OK");
    let wanted = format!("[\"{}\", \"new\", \"{}\"]", element(2500), element(2501));
    assert_eq!(client.ask("LRANGE l 0 -1"), wanted);
}
