//! The documents of all files, a few at a time: rendered on all cores, printed in order, so that
//! memory does not grow with their number.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow};
use patch_and_transform::protocol::Object;

use crate::STACK;
use crate::inputs::Source;

/// A file is cut into pieces of about this many bytes, between documents, if it has twice as many.
const PIECE: usize = 8 << 10;

/// How many pieces each core renders before they are printed.
const WAVE: usize = 8;

/// A part of a file, from one `---` to another.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) source: &'a Source,
    pub(super) text: &'a str,
    /// Where in the file it begins.
    pub(super) start: usize,
}

impl Piece<'_> {
    /// Returns the file's name.
    pub(super) fn name(&self) -> &str {
        &self.source.name
    }

    /// Returns the text with an empty line for each line of the file before it, for findings that
    /// name lines.
    pub(super) fn in_its_place(&self) -> Cow<'_, str> {
        let before = self.source.text.get(..self.start).unwrap_or_default();
        match before.matches('\n').count() {
            0 => Cow::Borrowed(self.text),
            lines => Cow::Owned("\n".repeat(lines) + self.text),
        }
    }

    /// Returns the objects.
    pub(super) fn objects(&self) -> Result<Vec<Object>> {
        let of =
            |text: &str| Source { name: self.source.name.clone(), text: text.to_owned() }.objects();
        of(self.text).or_else(|_| of(&self.in_its_place()))
    }
}

/// Cuts a file into pieces.
pub(super) fn of(source: &Source) -> Vec<Piece<'_>> {
    let text = source.text.as_str();
    let whole = || vec![Piece { source, text, start: 0 }];
    // A directive is about the document after it.
    if text.len() < 2 * PIECE || text.contains("\n%") || text.starts_with('%') {
        return whole();
    }
    let mut pieces = Vec::with_capacity(text.len() / PIECE + 1);
    let (mut start, mut end) = (0, 0);
    for line in text.split_inclusive('\n') {
        if end - start >= PIECE && line.trim_end() == "---" {
            pieces.extend(text.get(start..end).map(|text| Piece { source, text, start }));
            start = end;
        }
        end += line.len();
    }
    pieces.extend(text.get(start..).map(|text| Piece { source, text, start }));
    pieces
}

/// Does the work on all cores, and takes its results in the pieces' order.
pub(super) fn in_order<T: Send>(
    pieces: &[Piece<'_>],
    work: impl Fn(&Piece<'_>) -> T + Sync,
    mut take: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for wave in pieces.chunks(WAVE * cores) {
        for result in all(wave, cores, &work)? {
            take(result)?;
        }
    }
    Ok(())
}

fn all<T: Send>(
    pieces: &[Piece<'_>],
    cores: usize,
    work: &(impl Fn(&Piece<'_>) -> T + Sync),
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        while let Some((index, piece)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, pieces.get(i)?)))
        {
            done.push((index, work(piece)));
        }
        done
    };
    let mut results = std::thread::scope(|scope| -> Result<Vec<(usize, T)>> {
        let spawn = |_| {
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, some).context("cannot start a thread")
        };
        let others = (1..cores.min(pieces.len())).map(spawn).collect::<Result<Vec<_>>>()?;
        let mut results = some();
        for other in others {
            results.extend(other.join().map_err(|_| anyhow!("a thread failed"))?);
        }
        Ok(results)
    })?;
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(documents: usize) -> Source {
        let document = |i| format!("---\nname: {i}\ntext: |\n  {}\n", "--- x".repeat(20));
        Source { name: "f".to_owned(), text: (0..documents).map(document).collect() }
    }

    #[test]
    fn pieces_are_the_file_and_begin_with_a_document() {
        for documents in [1, 100, 1000] {
            let source = source(documents);
            let pieces = of(&source);
            let joined: String = pieces.iter().map(|piece| piece.text).collect();
            assert!(joined == source.text);
            assert!(pieces.iter().all(|piece| piece.text.starts_with("---\n")));
            assert_eq!(pieces.len() > 1, documents > 100, "{documents}");
            let last = pieces.last().unwrap();
            let place = last.in_its_place();
            assert_eq!(place.matches('\n').count(), source.text.matches('\n').count());
        }
    }

    #[test]
    fn results_are_in_order() {
        let source = source(2000);
        let pieces = of(&source);
        let mut starts = Vec::new();
        in_order(
            &pieces,
            |piece| piece.start,
            |start| {
                starts.push(start);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(starts, pieces.iter().map(|piece| piece.start).collect::<Vec<_>>());
    }
}
