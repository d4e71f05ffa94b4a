//! `bitmapistd`: reads its command line, serves until it is told to stop.

use bitmapistd::config::{Invocation, durability_name, parse};
use bitmapistd::{Config, Handle, Server, commands_markdown, logging};
use std::process::ExitCode;

fn main() -> ExitCode {
    let config = match parse(std::env::args_os()) {
        Invocation::Serve(config) => *config,
        Invocation::Print(text) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Invocation::PrintCommands => {
            print!("{}", commands_markdown());
            return ExitCode::SUCCESS;
        }
        Invocation::Fail(text, code) => {
            eprint!("{text}");
            return ExitCode::from(u8::try_from(code).unwrap_or(1));
        }
    };
    logging::init(&config.log_level);
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bitmapistd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config) -> Result<(), bitmapistd::Error> {
    let handle = Server::start(config.clone())?;
    announce(&config, &handle);
    handle.wait()?;
    handle.shutdown()?;
    println!("bitmapistd: everything is on disk, bye");
    Ok(())
}

/// Says where and how it serves.
fn announce(config: &Config, handle: &Handle) {
    let mut places: Vec<String> = handle.addrs().iter().map(ToString::to_string).collect();
    places.extend(config.unixsocket.iter().map(|path| path.display().to_string()));
    let dir = std::path::absolute(&config.dir).unwrap_or_else(|_| config.dir.clone());
    println!("bitmapistd {} serves on {}", env!("CARGO_PKG_VERSION"), places.join(", "));
    println!("  directory {}", dir.display());
    println!("  sync      {}", durability_name(config.sync));
    println!("  cache     {} MiB", config.cache_bytes >> 20);
    let recovery = handle.recovery();
    println!(
        "  recovered {} records from {} segments ({} by hints, {} bytes scanned)",
        recovery.keys, recovery.segments, recovery.hinted, recovery.scanned_bytes
    );
    if let Some(torn) = &recovery.torn {
        println!(
            "  cut off   {} bytes at offset {} of {}: a write that was never finished",
            torn.bytes, torn.offset, torn.segment
        );
    }
}
