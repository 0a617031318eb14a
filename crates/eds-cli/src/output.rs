//! Writing to standard output.

use std::io::{self, Write};

use anyhow::{Context, Result};
use eds_core::protocol::Object;

/// Writes objects as YAML documents, each with its `---`, keys sorted, so that the same objects
/// are the same bytes.
pub(crate) fn documents<'a>(objects: impl Iterator<Item = &'a Object>) -> Result<()> {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(object).context("cannot write YAML")?);
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Whether an error is a closed pipe.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
