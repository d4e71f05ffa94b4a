//! `completions`, `man`, `markdown`: what is made of the parser.

use crate::arguments::{self, Shell};
use crate::exit::{self, Failure, Outcome};
use crate::files;
use crate::output::{self, Out};
use clap::{Arg, ArgAction, Command};
use clap_mangen::Man;
use std::fmt::Write as _;
use std::path::Path;

const NAME: &str = "bitmapist";

pub fn completions(shell: Shell, out: &mut Out) -> Result<Outcome, Failure> {
    use clap_complete::{Shell as Known, generate};
    let shell = match shell {
        Shell::Bash => Known::Bash,
        Shell::Elvish => Known::Elvish,
        Shell::Fish => Known::Fish,
        Shell::Powershell => Known::PowerShell,
        Shell::Zsh => Known::Zsh,
    };
    // It panics if it cannot write, and so writes to memory.
    let mut text = Vec::new();
    generate(shell, &mut arguments::parser(), NAME, &mut text);
    out.bytes(&text)?;
    Ok(Outcome::Done)
}

pub fn man(to: Option<&Path>, out: &mut Out) -> Result<Outcome, Failure> {
    let mut parser = arguments::parser();
    parser.build();
    let Some(to) = to else {
        Man::new(parser).render(out.writer()).map_err(|e| output::failure(&e))?;
        return Ok(Outcome::Done);
    };
    let mut pages = vec![(NAME.to_owned(), parser.clone())];
    for command in visible(&parser) {
        pages.push((format!("{NAME}-{}", command.get_name()), command.clone()));
    }
    for (name, command) in pages {
        let mut page = Vec::new();
        let title = command.clone().name(name.clone()).display_name(name.clone());
        Man::new(title).render(&mut page).map_err(|e| output::failure(&e))?;
        files::write(&to.join(format!("{name}.1")), &page)?;
    }
    Ok(Outcome::Done)
}

fn visible(parser: &Command) -> impl Iterator<Item = &Command> {
    parser.get_subcommands().filter(|command| !command.is_hide_set())
}

/// docs/cli.md.
pub fn markdown(out: &mut Out) -> Result<Outcome, Failure> {
    let mut parser = arguments::parser();
    parser.build();
    let mut text = String::from("# The tool `bitmapist`\n\n");
    text.push_str("Made by `cargo xtask docs` from the argument parser; do not edit it.\n\n");
    let about = parser.get_long_about().or(parser.get_about());
    let _ = writeln!(text, "{}\n", about.map(ToString::to_string).unwrap_or_default());
    let _ = writeln!(text, "```\n{}\n```\n", exit::CODES);
    text.push_str("| command | |\n|---|---|\n");
    for command in visible(&parser) {
        let (name, about) = (command.get_name(), command.get_about());
        let about = about.map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "| [`{name}`](#{name}) | {about} |");
    }
    text.push_str("\nEvery command has these:\n\n");
    let is_global = |arg: &&Arg| arg.is_global_set() && !arg.is_hide_set();
    options(&mut text, parser.get_arguments().filter(is_global));
    for command in visible(&parser) {
        let _ = writeln!(text, "\n## {}\n", command.get_name());
        let about = command.get_long_about().or(command.get_about());
        let _ = writeln!(text, "{}.\n", about.map(ToString::to_string).unwrap_or_default());
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        let _ = writeln!(text, "```\n{usage}\n```\n");
        let own = command.get_arguments().filter(|arg| {
            !arg.is_global_set()
                && !arg.is_hide_set()
                && !matches!(arg.get_id().as_str(), "help" | "version")
        });
        options(&mut text, own);
    }
    out.bytes(text.as_bytes())?;
    Ok(Outcome::Done)
}

/// A table of options.
fn options<'a>(text: &mut String, args: impl Iterator<Item = &'a Arg>) {
    let mut args = args.peekable();
    if args.peek().is_none() {
        return;
    }
    text.push_str("| | |\n|---|---|\n");
    for arg in args {
        let values = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string);
        let value = values.collect::<Vec<_>>().join(" ");
        let mut spelling = Vec::new();
        spelling.extend(arg.get_short().map(|short| format!("-{short}")));
        spelling.extend(arg.get_long().map(|long| format!("--{long}")));
        let mut name = spelling.join(", ");
        let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        if arg.is_positional() {
            name = value;
        } else if takes_value && !value.is_empty() {
            let _ = write!(name, " {value}");
        }
        let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let defaults = arg.get_default_values();
        if takes_value && let Some(default) = defaults.first() {
            let _ = write!(help, " [default: {}]", default.to_string_lossy());
        }
        let _ = writeln!(text, "| `{name}` | {} |", help.replace('|', "\\|"));
    }
}
