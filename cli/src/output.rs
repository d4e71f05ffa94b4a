//! The standard output: lines of text, or of JSON.

use crate::arguments::Format;
use crate::exit::Failure;
use crate::json::Json;
use crate::spelling::Spelling;
use std::io::{self, BufWriter, StdoutLock, Write};

pub struct Out {
    stdout: BufWriter<StdoutLock<'static>>,
    pub json: bool,
    pub spelling: Spelling,
    pub quiet: bool,
}

impl Out {
    pub fn new(format: &Format) -> Self {
        let stdout = BufWriter::with_capacity(64 << 10, io::stdout().lock());
        Out { stdout, json: format.json, spelling: format.spelling(), quiet: format.quiet }
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout.write_all(bytes).map_err(|e| failure(&e))
    }

    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())?;
        self.bytes(b"\n")
    }

    /// A line of JSON.
    pub fn json(&mut self, value: &Json) -> Result<(), Failure> {
        writeln!(self.stdout, "{value}").map_err(|e| failure(&e))
    }

    /// A key or value for JSON.
    pub fn text(&self, bytes: &[u8]) -> Json {
        self.spelling.text(bytes).into()
    }

    /// Something that is no result, for whoever looks on.
    pub fn note(&mut self, text: &str) {
        if !self.quiet && !self.json {
            eprintln!("{text}");
        }
    }

    /// What is written from here on goes where the standard output goes.
    pub fn writer(&mut self) -> &mut dyn Write {
        &mut self.stdout
    }

    /// Everything that was written has to arrive.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(|e| failure(&e))
    }
}

pub fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Pipe,
        _ => Failure::Other(format!("cannot write to the standard output: {error}")),
    }
}
