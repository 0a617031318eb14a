//! Sets of code points, built once from the text of a class and shared by every pattern that uses
//! it.

use std::sync::{Arc, LazyLock};

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class as HirClass, HirKind};

use super::cache::Cache;

/// A set of code points.
#[derive(Debug)]
pub(super) struct Class {
    /// The members below 128, one bit each.
    ascii: u128,
    /// All members, as sorted, disjoint ranges.
    ranges: Box<[(char, char)]>,
}

/// How many bytes of classes to keep: `\pL` uses five thousand, `[a-z]` eight.
const KEPT: usize = 1 << 20;

/// Keyed by the class's text and whether case is folded.
type Classes = Cache<(bool, Box<str>), Arc<Class>>;

static CLASSES: LazyLock<Classes> = LazyLock::new(|| Cache::new(KEPT));

/// Returns the set for a class in the `regex` crate's syntax, in both cases of its letters if
/// `fold` is set.
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
    // The class parser only writes valid classes.
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

    /// Estimates how many bytes it uses.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.ranges) + 128
    }

    /// Reports whether the set contains `c`.
    pub(super) fn has(&self, c: char) -> bool {
        if c.is_ascii() {
            return self.ascii >> u32::from(c) & 1 == 1;
        }
        let after = self.ranges.partition_point(|&(low, _)| low <= c);
        after.checked_sub(1).and_then(|i| self.ranges.get(i)).is_some_and(|&(_, high)| c <= high)
    }

    /// Reports whether `c` is its only member.
    pub(super) fn is_only(&self, c: char) -> bool {
        *self.ranges == [(c, c)]
    }
}
