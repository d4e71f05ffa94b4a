//! Tests of the store through its public interface.

mod classic;
mod engine;
mod keydir;
mod storage;
