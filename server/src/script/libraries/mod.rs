//! The libraries that Redis gives to scripts, with its results and its errors.

pub(super) mod bits;
pub(super) mod cjson;
pub(super) mod cmsgpack;
pub(super) mod pack;

/// What nests deeper than this is refused, whatever a script allows: the stack ends somewhere.
const DEPTH: usize = 1000;
/// A function returns at most so many values.
const RESULTS: usize = 7000;
