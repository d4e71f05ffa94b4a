//! `cargo xtask docs`: pages that come from the programs, so that they cannot be out of date: the commands of the
//! server, and the command line of the tool.

use crate::workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A page that a program prints.
pub struct Page {
    /// Its place in the repository.
    pub file: &'static str,
    /// What makes the program print it.
    argument: &'static str,
}

/// What the server prints.
pub const COMMANDS: Page = Page { file: "docs/commands.md", argument: "--print-commands" };
/// What the tool prints.
pub const TOOL: Page = Page { file: "docs/cli.md", argument: "markdown" };

/// Writes all pages.
///
/// # Errors
/// A program does not build or print, or a file cannot be written.
pub fn write() -> Result<(), String> {
    COMMANDS.write(&workspace::build_server(false)?)?;
    TOOL.write(&workspace::build_tool()?)
}

impl Page {
    fn path(&self) -> PathBuf {
        workspace::root().join(self.file)
    }

    fn write(&self, binary: &Path) -> Result<(), String> {
        let text = self.printed(binary)?;
        fs::write(self.path(), text).map_err(|e| format!("{}: {e}", self.file))
    }

    /// Checks that the page is what the program at `binary` prints.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, binary: &Path) -> Result<(), String> {
        let written = fs::read_to_string(self.path()).map_err(|e| format!("{}: {e}", self.file))?;
        if self.printed(binary)? == written {
            Ok(())
        } else {
            let program = binary.display();
            Err(format!("{} is not what {program} prints; run `cargo xtask docs`", self.file))
        }
    }

    fn printed(&self, binary: &Path) -> Result<String, String> {
        let output = Command::new(binary)
            .arg(self.argument)
            .output()
            .map_err(|e| format!("{}: {e}", binary.display()))?;
        if !output.status.success() {
            return Err(format!("{} {}: {}", binary.display(), self.argument, output.status));
        }
        String::from_utf8(output.stdout).map_err(|e| e.to_string())
    }
}
