//! Parsed expressions, and what Go's parser records of each to limit it: size, height and nested
//! repetition.

use std::sync::Arc;

use super::set::Class;

/// Deeper expressions are refused, as in Go.
pub(super) const MAX_HEIGHT: u32 = 1000;
/// Expressions with more instructions are refused, as in Go.
pub(super) const MAX_SIZE: u64 = (128 << 20) / 40;
/// Patterns with more instructions are refused. Go has no such limit. A request has dozens of
/// patterns, and a function serves many requests; `\pL{1000}` has a thousand instructions, a
/// typical pattern about ten.
pub(super) const MOST_SIZE: u64 = 50_000;
/// The largest repeat count, and the largest product of nested ones.
pub(super) const MAX_REPEAT: i64 = 1000;
/// Patterns with more expressions written out are refused, to bound the cost of parsing. Go has no
/// such limit, but needs some 200 bytes for each, so a pod's 128 MiB run out near here.
pub(super) const MAX_NODES: usize = 500_000;
/// Patterns whose distinct classes use more bytes are refused. Go's limit is 128 MiB.
pub(super) const MAX_CLASS_BYTES: usize = 16 << 20;

/// What matches.
#[derive(Debug, Default)]
pub(super) enum Expr {
    /// The empty text.
    #[default]
    Empty,
    /// These characters.
    Literal(String),
    /// One character of a set.
    Class(Arc<Class>),
    /// A position.
    Look(Look),
    /// A capturing group and its number.
    Capture(usize, Box<Expr>),
    /// One after another.
    Concat(Vec<Expr>),
    /// One or another, the first preferred.
    Alternate(Vec<Expr>),
    /// A repetition.
    Repeat(Box<Repeated>),
}

/// What is repeated, and how.
#[derive(Debug)]
pub(super) struct Repeated {
    pub(super) inner: Expr,
    /// Whether `inner` matches the empty text.
    pub(super) nullable: bool,
    pub(super) op: Repeat,
    pub(super) lazy: bool,
}

/// A condition on a position. Words are ASCII in Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
}

/// A parsed expression and its measurements.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) expr: Expr,
    pub(super) height: u32,
    pub(super) size: u64,
    /// Whether it matches the empty text.
    nullable: bool,
    /// The repeat counts inside, outermost first: one path for each innermost repetition.
    repeats: Vec<i64>,
}

impl Node {
    /// Creates a node for something that matches one code point, or a position.
    pub(super) fn atom(expr: Expr) -> Self {
        let nullable = matches!(expr, Expr::Look(_));
        Self { expr, height: 1, size: 1, nullable, repeats: Vec::new() }
    }

    /// Appends a character to a literal text.
    pub(super) fn append(&mut self, c: char) -> bool {
        let Expr::Literal(text) = &mut self.expr else { return false };
        text.push(c);
        self.size += 1;
        true
    }

    /// Splits off the last character of a literal text that has several.
    pub(super) fn split_last(&mut self) -> Option<Self> {
        let Expr::Literal(text) = &mut self.expr else { return None };
        if self.size < 2 {
            return None;
        }
        self.size -= 1;
        Some(Self::atom(Expr::Literal(text.pop()?.into())))
    }

    /// Joins nodes to match one after another.
    pub(super) fn concat(mut nodes: Vec<Self>) -> Self {
        match nodes.len() {
            0 => Self { height: 1, size: 1, nullable: true, ..Self::default() },
            1 => nodes.pop().unwrap_or_default(),
            _ => {
                let nullable = nodes.iter().all(|node| node.nullable);
                Self { nullable, ..Self::join(nodes, Expr::Concat) }
            }
        }
    }

    /// Joins nodes to match one or another.
    pub(super) fn alternate(mut nodes: Vec<Self>) -> Self {
        if nodes.len() == 1 {
            return nodes.pop().unwrap_or_default();
        }
        let size = u64::try_from(nodes.len()).unwrap_or(0).saturating_sub(1);
        let nullable = nodes.iter().any(|node| node.nullable);
        let mut joined = Self { nullable, ..Self::join(nodes, Expr::Alternate) };
        joined.size += size;
        joined
    }

    fn join(nodes: Vec<Self>, make: fn(Vec<Expr>) -> Expr) -> Self {
        let mut joined = Self::default();
        let mut parts = Vec::with_capacity(nodes.len());
        for node in nodes {
            parts.push(node.expr);
            joined.height = joined.height.max(node.height);
            joined.size = joined.size.saturating_add(node.size);
            for limit in node.repeats {
                // Sorted, so that many distinct counts are compared quickly.
                if let Err(place) = joined.repeats.binary_search(&limit) {
                    joined.repeats.insert(place, limit);
                }
            }
        }
        joined.height += 1;
        joined.expr = make(parts);
        joined
    }

    /// Wraps the expression in `(...)`.
    pub(super) fn capture(self, number: usize) -> Self {
        Self {
            expr: Expr::Capture(number, Box::new(self.expr)),
            height: self.height + 1,
            size: self.size + 2,
            ..self
        }
    }

    /// Repeats the expression from `min` to `max` times; -1 means no maximum.
    pub(super) fn repeat(self, op: Repeat, lazy: bool) -> Self {
        let inner = self;
        let size = match op {
            Repeat::Star | Repeat::Count(0, -1) => inner.size.saturating_add(2),
            Repeat::Plus | Repeat::Quest => inner.size.saturating_add(1),
            Repeat::Count(min, -1) => inner.size.saturating_mul(min.unsigned_abs()) + 1,
            Repeat::Count(min, max) => inner
                .size
                .saturating_mul(max.unsigned_abs())
                .saturating_add((max - min).unsigned_abs()),
        };
        let mut repeats = inner.repeats;
        if let Repeat::Count(min, max) = op {
            let count = if max < 0 { min } else { max };
            if max == 0 {
                // What is never repeated has no limit.
                repeats.clear();
            }
            if count > 0 {
                // Multiplies the counts along a path: Go divides 1000 by each in turn, from the
                // outside in.
                for product in &mut repeats {
                    *product = product.saturating_mul(count);
                }
                if repeats.is_empty() {
                    repeats.push(count);
                }
            }
        }
        let optional =
            matches!(op, Repeat::Star | Repeat::Quest) || matches!(op, Repeat::Count(0, _));
        Self {
            height: inner.height + 1,
            size: size.max(1),
            nullable: inner.nullable || optional,
            repeats,
            expr: Expr::Repeat(Box::new(Repeated {
                inner: inner.expr,
                nullable: inner.nullable,
                op,
                lazy,
            })),
        }
    }

    /// Reports whether no nesting of counted repetitions multiplies to more than 1000.
    pub(super) fn repeats_valid(&self) -> bool {
        self.repeats.iter().all(|&product| product <= MAX_REPEAT)
    }
}

/// A repetition operator.
#[derive(Debug, Clone, Copy)]
pub(super) enum Repeat {
    /// `*`
    Star,
    /// `+`
    Plus,
    /// `?`
    Quest,
    /// `{min,max}`, with -1 for no maximum.
    Count(i64, i64),
}
