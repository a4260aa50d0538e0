//! What the program prints: tables for people, JSON for programs.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::sync::OnceLock;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

/// Why something was not printed, the first time.
static UNPRINTED: OnceLock<io::Error> = OnceLock::new();

/// A line on standard output, written as with `format!`. Unlike `println!` it does not panic when nobody reads it.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::print(format_args!($($text)*))
    };
}

/// A line on standard error, for people. Unlike `eprintln!` it does not panic when nobody reads it.
macro_rules! tell {
    ($($text:tt)*) => {
        $crate::output::print_for_people(format_args!($($text)*))
    };
}

pub(crate) use {say, tell};

pub(crate) fn print(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    note(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// Bytes on standard output, as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    note(out.write_all(bytes).and_then(|()| out.flush()));
}

/// Keeps in mind what could not be printed. Whoever reads no further, as `head` does, has what they wanted.
fn note(printed: io::Result<()>) {
    if let Err(error) = printed
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = UNPRINTED.set(error);
    }
}

/// Why something was not printed: output that was cut must not pass for the whole.
pub(crate) fn unprinted() -> Option<&'static io::Error> {
    UNPRINTED.get()
}

pub(crate) fn print_for_people(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A column: its title and the pointer to its value in a row.
pub(crate) type Column = (&'static str, &'static str);

/// Prints a value as JSON.
pub(crate) fn json(value: &Value) {
    say!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints a list as a table with these columns, or as JSON.
pub(crate) fn list(as_json: bool, answer: &Value, columns: &[Column]) {
    if as_json {
        json(answer);
        return;
    }
    let rows = answer.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    say!("{}", table(rows, columns));
    if answer.get("has_more") == Some(&Value::Bool(true)) {
        let last = rows.last().and_then(|row| row.get("sequence").or_else(|| row.get("id")));
        tell!("there are more: --after {}", last.map(cell).unwrap_or_default());
    }
}

/// Rows as a table.
pub(crate) fn table(rows: &[Value], columns: &[Column]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|(title, _)| *title));
    for row in rows {
        table.add_row(columns.iter().map(|(_, pointer)| row.pointer(pointer).map(cell).unwrap_or_default()));
    }
    table
}

/// Prints one object, a line each field, or as JSON.
pub(crate) fn object(as_json: bool, answer: &Value) {
    if as_json {
        json(answer);
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let fields = answer.as_object().into_iter().flatten();
    for (key, value) in fields.filter(|(key, _)| *key != "object") {
        table.add_row([key.clone(), cell(value)]);
    }
    say!("{table}");
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let parts = fields.iter().map(|(key, value)| format!("{key}={}", cell(value)));
            parts.collect::<Vec<_>>().join(" ")
        }
        Value::Number(number) => number.to_string(),
    }
}
