//! Go's `strings.ToUpper` and `strings.ToLower`: one code point becomes one code point.
//! Source: Go 1.26 `strings` and `unicode`. Rust's mappings may yield several (ß is SS).

use super::tables;

/// `strings.ToUpper(s)`.
pub fn to_upper(s: &str) -> String {
    s.chars().map(|c| map(c, c.to_ascii_uppercase(), tables::UPPER)).collect()
}

/// `strings.ToLower(s)`.
pub fn to_lower(s: &str) -> String {
    s.chars().map(|c| map(c, c.to_ascii_lowercase(), tables::LOWER)).collect()
}

fn map(c: char, ascii: char, table: &[(u32, u32, u32, i32)]) -> char {
    if c.is_ascii() {
        return ascii;
    }
    let n = u32::from(c);
    let after = table.partition_point(|&(first, ..)| first <= n);
    match after.checked_sub(1).and_then(|i| table.get(i)) {
        Some(&(first, last, step, offset)) if n <= last && (n - first).is_multiple_of(step) => {
            n.checked_add_signed(offset).and_then(char::from_u32).unwrap_or(c)
        }
        _ => c,
    }
}
