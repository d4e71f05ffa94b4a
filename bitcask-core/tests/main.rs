//! Tests of the store through its public interface.

mod engine;
mod keydir;
mod storage;
