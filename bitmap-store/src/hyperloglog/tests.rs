//! Against registers in a plain array.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn registers(log: &HyperLogLog) -> Registers {
    let mut registers = [0; REGISTERS];
    log.merge_into(&mut registers).expect("it was made here");
    registers
}

#[derive(Clone, Debug)]
enum Op {
    Add(u32),
    /// Registers that are near each other, so that runs split and join.
    Raise(usize, u8),
    Count,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => any::<u32>().prop_map(Op::Add),
        6 => (0..40_usize, 1..6_u8).prop_map(|(index, value)| Op::Raise(index, value)),
        1 => (0..REGISTERS, 1..52_u8).prop_map(|(index, value)| Op::Raise(index, value)),
        1 => Just(Op::Count),
    ]
}

proptest! {
    #[test]
    fn registers_are_those_of_a_plain_array_sparse_or_dense(ops in vec(op(), 1..300), many in 0..4000_u32) {
        let (mut log, mut model) = (HyperLogLog::new(), [0_u8; REGISTERS]);
        for n in 0..many {
            let (index, value) = place(&n.to_le_bytes());
            model[index] = model[index].max(value);
            log.add(&n.to_le_bytes()).unwrap();
        }
        for op in ops {
            match op {
                Op::Add(element) => {
                    let (index, value) = place(&element.to_le_bytes());
                    let changed = model[index] < value;
                    model[index] = model[index].max(value);
                    prop_assert_eq!(log.add(&element.to_le_bytes()), Ok(changed));
                }
                Op::Raise(index, value) => {
                    let changed = model[index] < value;
                    model[index] = model[index].max(value);
                    prop_assert_eq!(log.raise(index, value), Ok(changed));
                }
                Op::Count => prop_assert_eq!(log.count(), Ok(count(&model))),
            }
        }
        let most = if log.is_dense() { HEADER_LEN + dense::LEN } else { SPARSE_BYTES };
        prop_assert!(log.bytes().len() <= most);
        prop_assert_eq!(registers(&log), model);
        let again = HyperLogLog::from_bytes(log.bytes()).expect("it is one");
        let mut dense = again.clone();
        dense.make_dense().unwrap();
        prop_assert_eq!(registers(&dense), model);
        prop_assert_eq!(dense.count(), Ok(count(&model)));
    }

    #[test]
    fn any_registers_are_used_or_found_corrupt(bytes in vec(any::<u8>(), 0..80), index in 0..REGISTERS, value in 1..52_u8) {
        let mut header = HyperLogLog::new().bytes()[..HEADER_LEN].to_vec();
        header.extend_from_slice(&bytes);
        for bytes in [&bytes, &header] {
            let Some(mut log) = HyperLogLog::from_bytes(bytes) else { continue };
            let _ = (log.count(), log.describe(), log.remembered(), log.raise(index, value));
            let _ = (log.merge_into(&mut [0; REGISTERS]), log.make_dense());
        }
    }

    #[test]
    fn any_registers_have_an_estimate(values in vec(0..64_u8, 1..9)) {
        let registers: Registers = std::array::from_fn(|index| values[index % values.len()]);
        let _ = count(&registers);
    }
}

#[test]
fn estimates_are_within_a_few_percent() {
    let mut log = HyperLogLog::new();
    for n in 1..=100_000_u32 {
        log.add(&n.to_be_bytes()).unwrap();
        if [1, 10, 100, 1000, 10_000, 100_000].contains(&n) {
            let count = log.count().unwrap() as f64;
            let wanted = f64::from(n);
            assert!((count - wanted).abs() <= wanted * 0.03, "{count} of {n}");
        }
    }
    assert!(log.is_dense());
}

#[test]
fn a_new_one_has_the_bytes_of_redis() {
    assert_eq!(HyperLogLog::new().bytes(), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
}

#[test]
fn what_is_no_hyperloglog_is_none() {
    let dense = |len| [&b"HYLL\x00\0\0\0\0\0\0\0\0\0\0\0"[..], &vec![0; len]].concat();
    assert!(HyperLogLog::from_bytes(&dense(dense::LEN)).is_some());
    assert!(HyperLogLog::from_bytes(&dense(dense::LEN - 1)).is_none());
    assert!(HyperLogLog::from_bytes(b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0\x7f\xff").is_none());
    assert!(HyperLogLog::from_bytes(b"HYLM\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff").is_none());
    assert!(HyperLogLog::from_bytes(b"HYLL\x01").is_none());
    // Runs of too few or too many registers, and half a run.
    for runs in [&b""[..], b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f"] {
        let bytes = [&b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0"[..], runs].concat();
        let log = HyperLogLog::from_bytes(&bytes).expect("its header is right");
        assert_eq!(log.count(), Err(Corrupt), "{runs:?}");
        assert_eq!(log.clone().make_dense(), Err(Corrupt), "{runs:?}");
    }
}
