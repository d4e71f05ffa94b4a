//! SORT.

use super::talk;

#[test]
fn elements_are_sorted_by_numbers_or_by_bytes() {
    talk(
        r#"
        SADD s 10 9 0x8 " 7" "" -1.5 → :6
        SORT s → ["-1.5", "", " 7", "0x8", "9", "10"]
        SORT s DESC → ["10", "9", "0x8", " 7", "", "-1.5"]
        SORT s LIMIT 1 2 → ["", " 7"]
        SORT s LIMIT -1 2 DESC asc → ["-1.5", ""]
        SORT s LIMIT 4 -1 → ["9", "10"]
        SORT s LIMIT 6 1 → []
        SORT s ALPHA → ["", " 7", "-1.5", "0x8", "10", "9"]
        SORT_RO s ALPHA DESC LIMIT 0 1 → ["9"]
        SORT missing → []
        SORT missing STORE s2 → :0
        SADD s x → :1
        SORT s → -ERR One or more scores can't be converted into double
        SORT s LIMIT 0 0 → -ERR One or more scores can't be converted into double
        SORT s LIMIT 0 → -ERR syntax error
        SORT s LIMIT x 0 → -ERR value is not an integer or out of range
        SORT s BY → -ERR syntax error
        SORT s GET → -ERR syntax error
        SORT s STORE → -ERR syntax error
        SORT s foo → -ERR syntax error
        SORT_RO s STORE d → -ERR syntax error
        SET text x → +OK
        SORT text → -WRONGTYPE Operation against a key holding the wrong kind of value
        SORT text foo → -ERR syntax error
        "#,
    );
}

#[test]
fn other_keys_weigh_elements_and_are_fetched_for_them() {
    talk(
        r#"
        SADD s a b c → :3
        MSET w:a 3 w:b 1 w:c 2 t:a x t:b y → +OK
        HSET h:a f 1 → :1
        HSET h:b f 2 → :1
        SORT s BY w:* → ["b", "c", "a"]
        SORT s BY w:* DESC LIMIT 0 1 → ["a"]
        SORT s BY h:*->f → ["c", "a", "b"]
        SORT s BY t:* ALPHA → ["c", "a", "b"]
        SORT s BY t:* → -ERR One or more scores can't be converted into double
        SORT s BY w:* GET # GET t:* GET h:*->f GET fixed → ["b", "y", "2", nil, "c", nil, nil, nil, "a", "x", "1", nil]
        SADD one a → :1
        SORT one BY t:* → -ERR One or more scores can't be converted into double
        SORT one BY t:* BY none → ["a"]
        SORT one BY none BY t:* DESC GET t:* → ["x"]
        MULTI → +OK
        SORT s BY w:* GET t:* → +QUEUED
        SORT_RO s ALPHA → +QUEUED
        EXEC → [["y", nil, "x"], ["a", "b", "c"]]
        SET d x → +OK
        SORT missing BY w:* STORE d → :0
        EXISTS d → :0
        COMMAND GETKEYS SORT abc BY x_* GET y_* STORE def STORE ghi → ["abc", "ghi"]
        COMMAND GETKEYS SORT abc LIMIT 1 STORE def → ["abc"]
        COMMAND GETKEYS SORT_RO abc BY x_* → ["abc"]
        COMMAND GETKEYSANDFLAGS SORT abc STORE def → [["abc", [+RO, +access]], ["def", [+OW, +update]]]
        "#,
    );
}
