//! Writes to standard output.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};
use kube_object::printable::printable;
use kube_schema::diagnostics::{self, FileFindings};
use patch_and_transform::protocol::Object;

/// Appends an object as a YAML document with its `---` and sorted keys, so that the same objects
/// give the same bytes.
pub(crate) fn yaml(text: &mut String, object: &Object) -> Result<()> {
    let mut options = serde_saphyr::SerializerOptions::default();
    // One line stays one line: an image reference folded over two is hard to read and to grep.
    options.folded_wrap_chars = usize::MAX;
    text.push_str("---\n");
    serde_saphyr::to_fmt_writer_with_options(text, object, options).context("cannot write YAML")
}

/// Writes to standard output at once.
pub(crate) fn text(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Prints a note to standard error, so that programs can read standard output.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr(), "eds: {}", printable(line));
}

/// Returns whether the stream may be coloured: on a terminal, unless NO_COLOR says otherwise.
pub(crate) fn is_coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints a file's findings to standard error, for a person.
pub(crate) fn findings(file: &FileFindings) {
    let color = is_coloured(&io::stderr());
    let _ = io::stderr().write_all(diagnostics::text(file, color).as_bytes());
}

/// Returns whether an error is a closed pipe.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        io.or_else(|| cause.downcast_ref::<serde_json::Error>()?.io_error_kind())
    };
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}
