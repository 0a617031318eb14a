//! Sets of code points: made of class text once, then shared by every pattern that has it.

use std::sync::{Arc, LazyLock};

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class as HirClass, HirKind};

use super::cache::Cache;

/// A set of code points.
#[derive(Debug)]
pub(super) struct Class {
    /// The members below 128, one bit each.
    ascii: u128,
    /// All members: sorted, apart from each other.
    ranges: Box<[(char, char)]>,
}

/// Bytes of classes that are kept: `\pL` takes five thousand, `[a-z]` eight.
const KEPT: usize = 1 << 20;

/// By the class's text, and whether letters are folded.
type Classes = Cache<(bool, Box<str>), Arc<Class>>;

static CLASSES: LazyLock<Classes> = LazyLock::new(|| Cache::new(KEPT));

/// The set that a class of the `regex` crate's syntax stands for; with all cases of its letters if
/// `fold` says so.
pub(super) fn class(text: &str, fold: bool) -> Arc<Class> {
    let key = (fold, Box::from(text));
    if let Some(class) = CLASSES.get(&key) {
        return class;
    }
    let class = Arc::new(Class::of(ranges(text, fold)));
    let bytes = text.len() + class.bytes();
    CLASSES.put(key, Arc::clone(&class), bytes);
    class
}

fn ranges(text: &str, fold: bool) -> Vec<(char, char)> {
    let parsed = ParserBuilder::new().case_insensitive(fold).build().parse(text);
    // The parser of classes writes nothing that is not one.
    let Ok(hir) = parsed else { return Vec::new() };
    match hir.kind() {
        HirKind::Class(HirClass::Unicode(class)) => {
            class.iter().map(|range| (range.start(), range.end())).collect()
        }
        HirKind::Class(HirClass::Bytes(class)) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).unwrap_or_default();
            text.chars().take(1).map(|c| (c, c)).collect()
        }
        _ => Vec::new(),
    }
}

impl Class {
    fn of(ranges: Vec<(char, char)>) -> Self {
        let mut ascii = 0;
        for &(low, high) in &ranges {
            for code in u32::from(low)..=u32::from(high).min(127) {
                ascii |= 1u128 << code;
            }
        }
        Self { ascii, ranges: ranges.into() }
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.ranges) + 128
    }

    /// Whether the set has `c`.
    pub(super) fn has(&self, c: char) -> bool {
        if c.is_ascii() {
            return self.ascii >> u32::from(c) & 1 == 1;
        }
        let after = self.ranges.partition_point(|&(low, _)| low <= c);
        after.checked_sub(1).and_then(|i| self.ranges.get(i)).is_some_and(|&(_, high)| c <= high)
    }

    /// Whether `c` is its only member.
    pub(super) fn is_only(&self, c: char) -> bool {
        *self.ranges == [(c, c)]
    }
}
