//! Go's `regexp`. Source: Go 1.26 `regexp` and `regexp/syntax`.
//!
//! A pattern is read by Go's grammar, refused with Go's message, and run as Go runs it: leftmost,
//! first preferred, in time linear in the text. Only what a class means is asked of `regex-syntax`.
//! Compiled patterns are kept, because Crossplane sends the same ones every minute.

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
    /// Capturing groups.
    groups: usize,
}

/// Bytes of compiled patterns that are kept: thousands of ordinary ones.
const KEPT: usize = 4 << 20;

/// Bytes that runs of long patterns may take together.
const RUNNING: usize = 12 << 20;

static ROOM: Room = Room::new(RUNNING);

/// Patterns from this length on are compiled one after the other: what that takes is a hundred times
/// their length.
const LONG: usize = 2 << 10;

static COMPILING: Mutex<()> = Mutex::new(());

static PATTERNS: LazyLock<Cache<Box<str>, Regexp>> = LazyLock::new(|| Cache::new(KEPT));

/// `regexp.Compile(pattern)`.
///
/// # Errors
/// The message of Go's `*syntax.Error`. A pattern with more than [`node::MAX_NODES`] expressions or
/// [`node::MOST_SIZE`] instructions is `expression too large` here although Go may take it.
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
    /// `MatchString(text)`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.matches(text, &|| true).unwrap_or_default()
    }

    /// [`is_match`](Self::is_match), for as long as `go_on` says so.
    ///
    /// # Errors
    /// `go_on` said no.
    pub fn matches(&self, text: &str, go_on: &dyn Fn() -> bool) -> Result<bool, Stopped> {
        self.run(text, None, go_on).map(|found| found.is_some())
    }

    /// One group of `FindStringSubmatch(text)`, the whole match being group 0: empty if it took no
    /// part, `None` without a match or such a group.
    ///
    /// # Errors
    /// `go_on` said no.
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

    /// The most steps that a match may take: every instruction at every byte of the text.
    #[must_use]
    pub fn steps(&self, text: &str) -> usize {
        self.program.len().saturating_mul(text.len() + 1)
    }

    /// The most bytes that it takes in memory.
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

    /// About how many bytes its instructions take; classes are shared.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        self.program.bytes()
    }

    /// How many capturing groups there are.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups
    }
}
