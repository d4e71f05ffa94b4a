//! Targets that fail, to show that a failure is found.

/// Fails one flipped bit away from its example: blind mutation finds it.
pub(crate) fn near(bytes: &[u8]) {
    assert!(!begins(bytes, b"canary"), "the canary is dead");
}

/// See [`near`].
pub(crate) fn examples() -> Vec<Vec<u8>> {
    vec![b"Canary, in a mine".to_vec()]
}

/// Fails behind some turns that nobody takes by chance, and has no example: only what an input covers leads there.
pub(crate) fn far(bytes: &[u8]) {
    assert!(!begins(bytes, b"exit"), "the canary is dead at the end of the maze");
}

/// Byte by byte, so that each one that fits is covered for itself.
fn begins(bytes: &[u8], word: &[u8]) -> bool {
    for (at, wanted) in word.iter().enumerate() {
        if bytes.get(at) != Some(wanted) {
            return false;
        }
    }
    true
}
