//! How much a client may ask for.

/// Limits on a request. They hold before anything is allocated for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most arguments in a request.
    pub max_args: usize,
    /// Longest argument, in bytes: Redis' `proto-max-bulk-len`.
    pub max_bulk: usize,
    /// Longest inline request, and longest line of any other, in bytes.
    pub max_inline: usize,
    /// Longest request altogether, in bytes: Redis' `client-query-buffer-limit`. At most 4 GiB.
    pub max_request: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_args: 1 << 20,
            max_bulk: 512 << 20,
            max_inline: 64 << 10,
            max_request: 1 << 30,
        }
    }
}
