//! Sorted sets.

use super::{fresh, talk};
use resp::Reply;
use std::collections::BTreeMap;

#[test]
fn members_are_added_with_every_option_and_removed() {
    talk(
        r#"
        ZADD z 1 a 2 b 2 a → :2
        ZADD z NX 9 a 3 c → :1
        ZADD z XX 9 d 4 c → :0
        ZADD z XX CH 9 d 5 c → :1
        ZADD z GT CH 1 c 6 c 7 e → :2
        ZADD z LT CH 9 c 1 c → :1
        ZADD z INCR 1.5 a → "3.5"
        ZADD z NX INCR 1.5 a → nil
        ZADD z GT INCR -1 a → nil
        ZADD z XX INCR 1 missing → nil
        ZSCORE z a → "3.5"
        ZSCORE z missing → nil
        ZSCORE missing a → nil
        ZMSCORE z a missing c → ["3.5", nil, "1"]
        ZMSCORE missing a → [nil]
        ZINCRBY z -3.4 a → "0.10000000000000009"
        ZCARD z → :4
        ZREM z a missing b → :2
        ZRANGE z 0 -1 WITHSCORES → ["c", "1", "e", "7"]
        TYPE z → +zset
        OBJECT ENCODING z → "listpack"
        ZREM z c e → :2
        EXISTS z → :0
        ZADD z → -ERR wrong number of arguments for 'zadd' command
        ZADD z 1 a 2 → -ERR syntax error
        ZADD z NX XX 1 a → -ERR XX and NX options at the same time are not compatible
        ZADD z GT NX 1 a → -ERR GT, LT, and/or NX options at the same time are not compatible
        ZADD z GT LT 1 a → -ERR GT, LT, and/or NX options at the same time are not compatible
        ZADD z INCR 1 a 2 b → -ERR INCR option supports a single increment-element pair
        ZADD z nan a → -ERR value is not a valid float
        ZADD z 1 a x b → -ERR value is not a valid float
        ZADD z 1e400 a → -ERR value is not a valid float
        ZADD z inf a → :1
        ZINCRBY z -inf a → -ERR resulting score is not a number (NaN)
        ZINCRBY z x a → -ERR value is not a valid float
        ZADD z 0x10 hex -0 zero 1e20 great → :3
        ZMSCORE z a hex zero great → ["inf", "16", "0", "1e+20"]
        SET s text → +OK
        ZADD s 1 a → -WRONGTYPE Operation against a key holding the wrong kind of value
        ZSCORE s a → -WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn ranges_are_read_in_every_form() {
    talk(
        r#"
        ZADD z 1 a 2 b 2 c 3 d 5 e → :5
        ZRANGE z 1 2 → ["b", "c"]
        ZRANGE z -2 -1 WITHSCORES → ["d", "3", "e", "5"]
        ZRANGE z 0 1 REV → ["e", "d"]
        ZRANGE z 3 1 → []
        ZRANGE z (1 3 BYSCORE → ["b", "c", "d"]
        ZRANGE z +inf (2 BYSCORE REV LIMIT 1 5 → ["d"]
        ZRANGE z -inf inf BYSCORE LIMIT -1 5 → []
        ZRANGE z -inf inf BYSCORE LIMIT 3 -1 → ["d", "e"]
        ZREVRANGE z 0 1 → ["e", "d"]
        ZRANGEBYSCORE z 2 (3 WITHSCORES → ["b", "2", "c", "2"]
        ZREVRANGEBYSCORE z 3 1 LIMIT 1 2 → ["c", "b"]
        ZCOUNT z (1 3 → :3
        ZCOUNT z 3 1 → :0
        ZRANK z c → :2
        ZRANK z c WITHSCORE → [:2, "2"]
        ZREVRANK z c → :2
        ZREVRANK z a → :4
        ZRANK z missing → nil
        ZRANK z c x → -ERR syntax error
        ZRANGE z 0 1 LIMIT 0 1 → -ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        ZRANGE z - + BYLEX WITHSCORES → -ERR syntax error, WITHSCORES not supported in combination with BYLEX
        ZRANGE z 0 x → -ERR value is not an integer or out of range
        ZRANGE z a b BYSCORE → -ERR min or max is not a float
        ZRANGE z a b BYLEX → -ERR min or max not valid string range item
        ZRANGE z 0 1 FOO → -ERR syntax error
        ZRANGESTORE to z 1 3 → :3
        ZRANGE to 0 -1 WITHSCORES → ["b", "2", "c", "2", "d", "3"]
        ZRANGESTORE to z 9 9 → :0
        EXISTS to → :0
        ZADD l 0 a 0 b 0 c 0 d → :4
        ZRANGEBYLEX l [b + → ["b", "c", "d"]
        ZREVRANGEBYLEX l (d - LIMIT 1 1 → ["b"]
        ZLEXCOUNT l - (c → :2
        ZLEXCOUNT l + - → :0
        ZREMRANGEBYLEX l [b (d → :2
        ZRANGE l 0 -1 → ["a", "d"]
        ZREMRANGEBYRANK z 0 1 → :2
        ZREMRANGEBYSCORE z 2 3 → :2
        ZREMRANGEBYRANK z 0 -1 → :1
        EXISTS z → :0
        "#,
    );
}

#[test]
fn members_are_popped_from_both_ends() {
    talk(
        r#"
        ZADD z 1 a 2 b 3 c 4 d 5 e 6 f → :6
        ZPOPMIN z → ["a", "1"]
        ZPOPMAX z 2 → ["f", "6", "e", "5"]
        ZPOPMIN z 0 → []
        ZPOPMIN missing → []
        ZPOPMIN z -1 → -ERR value is out of range, must be positive
        ZPOPMIN z 1 2 → -ERR syntax error
        ZMPOP 2 missing z MAX → ["z", [["d", "4"]]]
        ZMPOP 1 z MIN COUNT 9 → ["z", [["b", "2"], ["c", "3"]]]
        ZMPOP 1 z MIN → nil[]
        ZMPOP 0 z MIN → -ERR numkeys should be greater than 0
        ZMPOP 2 z MIN → -ERR syntax error
        ZMPOP 1 z MIN COUNT 0 → -ERR count should be greater than 0
        ZMPOP 1 z MIN COUNT 1 COUNT 1 → -ERR syntax error
        EXISTS z → :0
        "#,
    );
}

#[test]
fn sets_are_united_intersected_and_subtracted_with_weights() {
    talk(
        r#"
        ZADD x 1 a 2 b 3 c → :3
        ZADD y 10 b 20 c 30 d → :3
        ZUNION 2 x y WITHSCORES → ["a", "1", "b", "12", "c", "23", "d", "30"]
        ZINTER 2 x y WEIGHTS 2 -1 AGGREGATE MIN WITHSCORES → ["c", "-20", "b", "-10"]
        ZDIFF 2 x y WITHSCORES → ["a", "1"]
        ZDIFF 2 x x → []
        ZINTERCARD 2 x y → :2
        ZINTERCARD 2 x y LIMIT 1 → :1
        ZINTERCARD 2 x missing → :0
        ZUNIONSTORE to 3 x y missing AGGREGATE MAX → :4
        ZRANGE to 0 -1 WITHSCORES → ["a", "1", "b", "10", "c", "20", "d", "30"]
        ZINTERSTORE x 2 x y → :2
        ZRANGE x 0 -1 WITHSCORES → ["b", "12", "c", "23"]
        ZDIFFSTORE to 2 x y → :0
        EXISTS to → :0
        ZUNION 0 x → -ERR at least 1 input key is needed for 'zunion' command
        ZUNIONSTORE to 3 x y → -ERR syntax error
        ZINTER 1 x WEIGHTS f → -ERR weight value is not a float
        ZINTER 1 x AGGREGATE AVG → -ERR syntax error
        ZINTERCARD 1 x LIMIT -1 → -ERR LIMIT can't be negative
        ZDIFF 1 x WEIGHTS 1 → -ERR syntax error
        SET s text → +OK
        ZUNION 2 x s → -WRONGTYPE Operation against a key holding the wrong kind of value
        COMMAND GETKEYS ZUNIONSTORE to 2 x y → ["to", "x", "y"]
        "#,
    );
}

#[test]
fn a_large_set_is_scanned_step_by_step_and_each_member_comes_once() {
    let (_dir, _server, mut client) = fresh();
    for n in 0..3000 {
        let (score, member) = (format!("{}.5", n % 700), format!("member:{n}"));
        client.call(&[b"ZADD", b"z", score.as_bytes(), member.as_bytes()]);
    }
    let (mut found, mut cursor) = (BTreeMap::new(), b"0".to_vec());
    loop {
        let Reply::Array(reply) = client.call(&[b"ZSCAN", b"z", &cursor, b"COUNT", b"100"]) else {
            panic!("a step of a scan is an array")
        };
        let [Reply::Bulk(next), Reply::Array(pairs)] = &reply[..] else { panic!("{reply:?}") };
        for pair in pairs.chunks(2) {
            let [Reply::Bulk(member), Reply::Bulk(score)] = pair else { panic!("{pair:?}") };
            assert!(found.insert(member.to_vec(), score.to_vec()).is_none());
        }
        cursor = next.to_vec();
        if cursor == b"0" {
            break;
        }
    }
    let wanted = (0..3000)
        .map(|n| (format!("member:{n}").into_bytes(), format!("{}.5", n % 700).into_bytes()));
    assert_eq!(found, wanted.collect());
    assert_eq!(client.ask("OBJECT ENCODING z"), "\"skiplist\"");
}

#[test]
fn scores_are_numbers_and_members_with_them_pairs_in_resp3() {
    let (_dir, _server, mut client) = fresh();
    client.hello3();
    client.run("ZADD z 1.5 a 2 b");
    let pair =
        |member: &'static str, score| Reply::Array(vec![Reply::bulk(member), Reply::Double(score)]);
    assert_eq!(client.run("ZSCORE z a"), Reply::Double(1.5));
    assert_eq!(client.run("ZINCRBY z 1 b"), Reply::Double(3.0));
    let both = Reply::Array(vec![pair("a", 1.5), pair("b", 3.0)]);
    assert_eq!(client.run("ZRANGE z 0 -1 WITHSCORES"), both);
    assert_eq!(client.run("ZUNION 1 z WITHSCORES"), both);
    assert_eq!(client.run("ZRANDMEMBER z 5 WITHSCORES"), both);
    assert_eq!(client.run("ZPOPMIN z"), pair("a", 1.5));
    assert_eq!(client.run("ZPOPMIN z 1"), Reply::Array(vec![pair("b", 3.0)]));
}
