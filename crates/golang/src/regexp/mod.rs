//! Go's `regexp`. Source: Go 1.26 `regexp` and `regexp/syntax`.
//!
//! A pattern is read by Go's grammar, refused with Go's message, and run as Go runs it: leftmost
//! match, first alternative preferred, in time linear in the text. `regex-syntax` is only asked
//! what a class means. Compiled patterns are kept, because Crossplane sends the same ones every
//! minute.

mod cache;
mod class;
mod escape;
mod node;
mod parse;
mod program;
mod room;
mod set;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cache::Cache;
use program::Program;
use room::Room;

pub use program::Stopped;

/// A compiled Go regular expression.
#[derive(Debug, Clone)]
pub struct Regexp {
    program: Arc<Program>,
    /// The number of capturing groups.
    groups: usize,
}

/// How many bytes of compiled patterns to keep: enough for thousands of ordinary ones.
const KEPT: usize = 4 << 20;

/// How many bytes the runs of long patterns may use together.
const RUNNING: usize = 12 << 20;

static ROOM: Room = Room::new(RUNNING);

/// Patterns at least this long are compiled one at a time: compiling uses a hundred times their
/// length.
const LONG: usize = 2 << 10;

static COMPILING: Mutex<()> = Mutex::new(());

static PATTERNS: LazyLock<Cache<Box<str>, Regexp>> = LazyLock::new(|| Cache::new(KEPT));

/// Compiles as `regexp.Compile(pattern)` does.
///
/// # Errors
/// The message of Go's `*syntax.Error`. A pattern with more than [`node::MAX_NODES`] expressions or
/// [`node::MOST_SIZE`] instructions is `expression too large` here, although Go may accept it.
pub fn compile(pattern: &str) -> Result<Regexp, String> {
    let key = Box::from(pattern);
    if let Some(regexp) = PATTERNS.get(&key) {
        return Ok(regexp);
    }
    let _alone =
        (pattern.len() >= LONG).then(|| COMPILING.lock().unwrap_or_else(PoisonError::into_inner));
    let (node, groups) = parse::parse(pattern)?;
    let regexp = Regexp { program: Arc::new(Program::compile(&node)), groups };
    PATTERNS.put(key, regexp.clone(), regexp.program.bytes() + pattern.len());
    Ok(regexp)
}

impl Regexp {
    /// Reports whether the text contains a match, as `MatchString(text)` does.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.matches(text, &|| true).unwrap_or_default()
    }

    /// [`is_match`](Self::is_match), for as long as `go_on` returns true.
    ///
    /// # Errors
    /// `go_on` returned false.
    pub fn matches(&self, text: &str, go_on: &dyn Fn() -> bool) -> Result<bool, Stopped> {
        self.run(text, None, go_on).map(|found| found.is_some())
    }

    /// Returns one group of `FindStringSubmatch(text)`, where group 0 is the whole match: empty if
    /// the group took no part, `None` if there is no match or no such group.
    ///
    /// # Errors
    /// `go_on` returned false.
    pub fn submatch<'t>(
        &self,
        text: &'t str,
        group: usize,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<&'t str>, Stopped> {
        if group > self.groups {
            return Ok(None);
        }
        let found = self.run(text, Some(group), go_on)?;
        Ok(found.map(|(start, end)| text.get(start..end).unwrap_or_default()))
    }

    /// Returns the most steps that a match may take: every instruction at every byte of the text.
    #[must_use]
    pub fn steps(&self, text: &str) -> usize {
        self.program.len().saturating_mul(text.len() + 1)
    }

    /// Returns the most bytes of memory that a match may use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.program.bytes() + self.program.class_bytes()
    }

    fn run(
        &self,
        text: &str,
        group: Option<usize>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<(usize, usize)>, Stopped> {
        let _place = ROOM.enter(self.program.bytes_to_run(), go_on).ok_or(Stopped)?;
        self.program.run(text, group, go_on)
    }

    /// Estimates the bytes that its instructions use; classes are shared.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        self.program.bytes()
    }

    /// Returns the number of capturing groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups
    }
}
