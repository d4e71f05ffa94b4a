//! Targets that fail, to show that a failure is found.

/// Fails one flipped bit away from its example: blind mutation finds it.
pub(crate) fn near(bytes: &[u8]) {
    assert!(!bytes.starts_with(b"canary"), "the canary is dead");
}

/// See [`near`].
pub(crate) fn examples() -> Vec<Vec<u8>> {
    vec![b"Canary, in a mine".to_vec()]
}

/// Fails behind four turns that nobody takes by chance: only what an input covers leads there.
pub(crate) fn far(bytes: &[u8]) {
    for (at, turn) in b"exit".iter().enumerate() {
        if bytes.get(at) != Some(turn) {
            return;
        }
    }
    panic!("the canary is dead at the end of the maze");
}
