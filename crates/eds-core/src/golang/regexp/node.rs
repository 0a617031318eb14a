//! What Go's parser keeps of an expression to limit it: size, height and nested repetition.

/// Deeper expressions are refused, as in Go.
pub(super) const MAX_HEIGHT: u32 = 1000;
/// Expressions of more instructions are refused, as in Go.
pub(super) const MAX_SIZE: u64 = (128 << 20) / 40;
/// The largest repeat count, and the largest product of nested ones.
pub(super) const MAX_REPEAT: i64 = 1000;

/// A parsed expression: its text for the `regex` crate, and its measures.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) text: String,
    /// Whether a repetition operator may follow the text as it is.
    pub(super) atom: bool,
    pub(super) height: u32,
    pub(super) size: u64,
    /// The repeat counts inside, outermost first: one path for each innermost repetition.
    repeats: Vec<i64>,
}

impl Node {
    /// A single thing that matches one code point, or a position.
    pub(super) fn atom(text: String) -> Self {
        Self { text, atom: true, height: 1, size: 1, repeats: Vec::new() }
    }

    /// One after the other.
    pub(super) fn concat(mut nodes: Vec<Self>) -> Self {
        match nodes.len() {
            0 => Self { height: 1, size: 1, ..Self::default() },
            1 => nodes.pop().unwrap_or_default(),
            _ => Self::join(nodes, ""),
        }
    }

    /// One or the other.
    pub(super) fn alternate(mut nodes: Vec<Self>) -> Self {
        if nodes.len() == 1 {
            return nodes.pop().unwrap_or_default();
        }
        let size = u64::try_from(nodes.len()).unwrap_or(0).saturating_sub(1);
        let mut joined = Self::join(nodes, "|");
        joined.size += size;
        joined
    }

    fn join(nodes: Vec<Self>, separator: &str) -> Self {
        let mut joined = Self::default();
        for (i, node) in nodes.into_iter().enumerate() {
            if i > 0 {
                joined.text.push_str(separator);
            }
            joined.text.push_str(&node.text);
            joined.height = joined.height.max(node.height);
            joined.size = joined.size.saturating_add(node.size);
            for limit in node.repeats {
                if !joined.repeats.contains(&limit) {
                    joined.repeats.push(limit);
                }
            }
        }
        joined.height += 1;
        joined
    }

    /// `(...)` or, without a capture, `(?:...)`, which Go does not keep.
    pub(super) fn group(self, capture: bool) -> Self {
        let open = if capture { "(" } else { "(?:" };
        Self {
            text: format!("{open}{})", self.text),
            atom: true,
            height: self.height + u32::from(capture),
            size: self.size + if capture { 2 } else { 0 },
            repeats: self.repeats,
        }
    }

    /// The expression repeated from `min` to `max` times; no maximum is -1.
    pub(super) fn repeat(self, op: Repeat, lazy: bool) -> Self {
        let inner = if self.atom { self } else { self.group(false) };
        let text = match op {
            Repeat::Star => "*".to_owned(),
            Repeat::Plus => "+".to_owned(),
            Repeat::Quest => "?".to_owned(),
            Repeat::Count(min, -1) => format!("{{{min},}}"),
            Repeat::Count(min, max) => format!("{{{min},{max}}}"),
        };
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
                // A path of counts multiplied: Go divides 1000 by each in turn, from the outside.
                for product in &mut repeats {
                    *product = product.saturating_mul(count);
                }
                if repeats.is_empty() {
                    repeats.push(count);
                }
            }
        }
        Self {
            text: format!("{}{text}{}", inner.text, if lazy { "?" } else { "" }),
            atom: false,
            height: inner.height + 1,
            size: size.max(1),
            repeats,
        }
    }

    /// Whether no nesting of counted repetitions multiplies to more than 1000.
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
    /// `{min,max}`, -1 for no maximum.
    Count(i64, i64),
}
