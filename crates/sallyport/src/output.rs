//! What commands print: aligned tables, JSON, plain lines. Colour and decoration on a terminal only.

use std::io::{IsTerminal, Write};

use anyhow::{Context, Result};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Prints one line to standard output. A reader that went away (`| head`) is not an error.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn line(text: &str) -> Result<()> {
    write_out(format!("{text}\n").as_bytes())
}

/// Prints bytes to standard output.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn write_out(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.context("write to standard output"),
    }
}

/// Prints a note to standard error.
pub(crate) fn note(text: &str) {
    // Nothing can be done when standard error is gone.
    let _gone = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints a value as JSON, indented.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string_pretty(value).context("write JSON")?)
}

/// Prints rows under a heading, aligned; a sentence when there are none.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn table(heading: &[&str], rows: Vec<Vec<String>>, empty: &str) -> Result<()> {
    if rows.is_empty() {
        note(empty);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heading.iter().map(|word| word.to_uppercase()));
    for row in rows {
        table.add_row(row.into_iter().map(|cell| plain(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for row in table.lines() {
        line(row.trim_end())?;
    }
    Ok(())
}

/// Prints `name  value` lines, aligned.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn fields(fields: &[(&str, String)]) -> Result<()> {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields {
        let mut lines = value.lines();
        line(&format!("{name:width$}  {}", plain(lines.next().unwrap_or_default())))?;
        for more in lines {
            line(&format!("{:width$}  {}", "", plain(more)))?;
        }
    }
    Ok(())
}

/// Whether standard output takes colours.
pub(crate) fn color() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Text without characters that act: what an agent wrote must not move the cursor of whoever reads it, nor turn its order around.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if record::render::acts(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// `15:04:05` of today, or the date and the time, local time; the text itself when it is no time.
pub(crate) fn when(rfc3339: &str) -> String {
    let Ok(time) = rfc3339.parse::<jiff::Timestamp>() else {
        return rfc3339.to_owned();
    };
    let local = time.to_zoned(jiff::tz::TimeZone::system());
    local.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The first line of a text, cut to a width.
pub(crate) fn short(text: &str, width: usize) -> String {
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= width {
        return flat;
    }
    let cut: String = flat.chars().take(width.saturating_sub(1)).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_an_agent_wrote_turns_nothing_around() {
        let shown = super::plain("SELECT 1 /* \u{202e}cba\u{2066} \u{1b}[2J */\tx");
        assert_eq!(shown, "SELECT 1 /* \u{fffd}cba\u{fffd} \u{fffd}[2J */\tx");
    }

    use super::*;

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(short("select  1\n from x", 10), "select 1 …");
    }
}
