//! The CRC-64 of Redis: Jones' polynomial, reflected, from zero, and not inverted.

/// The polynomial with its bits reversed.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;
/// So many bytes are taken in one step.
const STEP: usize = 8;

/// `TABLES[n][byte]`: what a byte comes to with n zeros behind it.
static TABLES: [[u64; 256]; STEP] = tables();

const fn tables() -> [[u64; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut n = 1;
    while n < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[n - 1][byte];
            tables[n][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        n += 1;
    }
    tables
}

/// The CRC-64 that stands behind a payload, of all the bytes before it.
///
/// # Examples
/// ```
/// assert_eq!(bitmap_store::rdb::checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
/// ```
pub fn checksum(bytes: &[u8]) -> u64 {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let mut crc = 0_u64;
    for step in steps {
        let mixed = (crc ^ u64::from_le_bytes(*step)).to_le_bytes();
        crc = 0;
        for (at, byte) in mixed.iter().enumerate() {
            crc ^= TABLES[STEP - 1 - at][usize::from(*byte)];
        }
    }
    rest.iter().fold(crc, |crc, byte| crc >> 8 ^ TABLES[0][usize::from(crc as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_that_of_redis() {
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(checksum(b""), 0);
    }

    proptest! {
        #[test]
        fn eight_bytes_at_a_time_come_to_the_same_as_bit_by_bit(bytes in vec(any::<u8>(), 0..70)) {
            let mut crc = 0_u64;
            for byte in &bytes {
                crc ^= u64::from(*byte);
                for _ in 0..8 {
                    crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
                }
            }
            prop_assert_eq!(checksum(&bytes), crc);
        }
    }
}
