//! Go's `regexp` over the `regex` crate. Source: Go 1.26 `regexp/syntax`.
//!
//! Both are RE2's children: leftmost-first, linear time. They differ in syntax, so a pattern is
//! read by Go's grammar, refused with Go's message, and written again in the crate's.

mod class;
mod escape;
mod node;
mod parse;

/// A compiled Go regular expression.
#[derive(Debug, Clone)]
pub struct Regexp {
    regex: regex::bytes::Regex,
    /// Capturing groups; the crate forgets those that are repeated no times.
    groups: usize,
}

/// How much memory a compiled pattern may take. Go's own limit is 128 MiB of instructions.
const SIZE_LIMIT: usize = 64 << 20;

/// How deep a pattern may nest. Go allows 1000, but the crate compiles by recursion.
const NEST_LIMIT: u32 = 250;

/// `regexp.Compile(pattern)`.
///
/// # Errors
/// The message of Go's `*syntax.Error`. A pattern that is too large for [`SIZE_LIMIT`] bytes is
/// `expression too large` here although Go may take it, and one that nests deeper than
/// [`NEST_LIMIT`] is said to nest too deeply.
pub fn compile(pattern: &str) -> Result<Regexp, String> {
    let (translated, groups) = parse::translate(pattern)?;
    regex::bytes::RegexBuilder::new(&translated)
        .size_limit(SIZE_LIMIT)
        .nest_limit(NEST_LIMIT)
        .build()
        .map(|regex| Regexp { regex, groups })
        .map_err(|cause| match cause {
            regex::Error::CompiledTooBig(_) => parse::error("expression too large", pattern),
            // The syntax has been checked: only the nesting is left to be refused.
            _ => parse::error("expression nests too deeply", pattern),
        })
}

impl Regexp {
    /// `MatchString(text)`.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes())
    }

    /// `FindStringSubmatch(text)`: the leftmost match and its groups, empty where a group took no
    /// part. `None` without a match.
    pub fn find_submatch(&self, text: &str) -> Option<Vec<String>> {
        let captures = self.regex.captures(text.as_bytes())?;
        let text = |m: Option<regex::bytes::Match<'_>>| {
            m.map_or_else(String::new, |m| String::from_utf8_lossy(m.as_bytes()).into_owned())
        };
        Some((0..=self.groups).map(|i| text(captures.get(i))).collect())
    }
}
