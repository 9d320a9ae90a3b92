//! One result as an aligned table: the first rows, cut cells marked, and what is not shown counted.

use std::io::{self, Write};

use super::Options;
use super::text::{Paint, cut, harmless, plural};
use crate::event::{Column, Finished};
use crate::rows::Rows;

/// Columns shown of one result; the rest is counted.
const MAX_COLUMNS: usize = 32;

/// A result being collected: only what will be shown.
#[derive(Debug)]
pub(super) struct Table {
    names: Vec<String>,
    binary: Vec<bool>,
    rows: Vec<Vec<String>>,
    seen: u64,
    more_columns: usize,
    limit: usize,
    width: usize,
}

impl Table {
    pub(super) fn new(columns: &[Column<'_>], options: &Options) -> Self {
        let shown = columns.iter().take(MAX_COLUMNS);
        Self {
            names: shown
                .clone()
                .map(|column| {
                    let mark = match column.mask.as_ref() {
                        "" | "aggregate" => "",
                        "lifted" => " (in clear)",
                        _ => " *",
                    };
                    format!("{}{mark}", cut(&harmless(&column.name), options.width))
                })
                .collect(),
            binary: shown.map(|column| column.binary).collect(),
            rows: Vec::new(),
            seen: 0,
            more_columns: columns.len().saturating_sub(MAX_COLUMNS),
            limit: options.rows,
            width: options.width,
        }
    }

    pub(super) fn rows(&mut self, count: u32, data: &[u8]) {
        self.seen += u64::from(count);
        let missing = self.limit.saturating_sub(self.rows.len());
        for row in Rows::new(data).take(missing) {
            let cells = row.iter().take(MAX_COLUMNS).enumerate();
            let cells = cells.map(|(index, value)| {
                let binary = self.binary.get(index).copied().unwrap_or(false);
                cell(*value, binary, self.width)
            });
            self.rows.push(cells.collect());
        }
    }

    pub(super) fn write(&self, paint: &Paint, finished: Option<&Finished<'_>>, out: &mut dyn Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0).max(self.names.len());
        let widths: Vec<usize> = (0..columns)
            .map(|index| {
                let cells = self.rows.iter().chain([&self.names]).filter_map(|row| row.get(index));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        if !self.names.is_empty() {
            writeln!(out, "          {}", paint.strong(&join(&self.names, &widths, " │ ")))?;
            let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            writeln!(out, "          {}", rule.join("─┼─"))?;
        }
        for row in &self.rows {
            writeln!(out, "          {}", join(row, &widths, " │ "))?;
        }
        let total = finished.map_or(self.seen, |finished| finished.rows.max(self.seen));
        let mut notes = Vec::new();
        let shown = self.rows.len() as u64;
        if shown < total {
            notes.push(format!("{shown} of {} shown", plural(total, "row")));
        } else {
            notes.push(plural(total, "row"));
        }
        if self.seen < total {
            notes.push(format!("{} recorded", self.seen));
        }
        if self.more_columns > 0 {
            notes.push(format!("{} not shown", plural(self.more_columns as u64, "column")));
        }
        if let Some(finished) = finished.filter(|finished| finished.masked > 0) {
            notes.push(format!("{} masked", plural(finished.masked, "value")));
        }
        writeln!(out, "          {}", paint.faint(&format!("({})", notes.join(", "))))
    }
}

fn cell(value: Option<&[u8]>, binary: bool, width: usize) -> String {
    let Some(value) = value else {
        return "NULL".to_owned();
    };
    match std::str::from_utf8(value) {
        Ok(text) if !binary => {
            // A cell of megabytes is not walked for the few characters that are shown.
            let start = text.floor_char_boundary(width.saturating_mul(4) + 4);
            cut(&harmless(text.get(..start).unwrap_or_default()), width).into_owned()
        }
        _ => {
            let head = value.iter().take(width / 2);
            let hex: String = head.map(|byte| format!("{byte:02x}")).collect();
            cut(&format!("\\x{hex}{}", if value.len() > width / 2 { "…" } else { "" }), width).into_owned()
        }
    }
}

fn join(cells: &[String], widths: &[usize], between: &str) -> String {
    let padded: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(index, width)| {
            let cell = cells.get(index).map_or("", String::as_str);
            let pad = width.saturating_sub(cell.chars().count());
            format!("{cell}{}", " ".repeat(pad))
        })
        .collect();
    padded.join(between).trim_end().to_owned()
}
