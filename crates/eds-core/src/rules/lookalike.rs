//! EDS216: letters of other alphabets that look like ours, where both stand in one name. `ORDERS` with a
//! Cyrillic O is another stream to NATS. A name that is written wholly in another alphabet is meant so.

use super::Claim;
use crate::diagnostics::{Finding, catalog};
use crate::schema::path::Path;

/// Ours, and the letters of the Greek and Cyrillic alphabets that look the same.
const ALIKE: [(char, &str); 38] = [
    ('a', "\u{430}\u{3b1}"),
    ('c', "\u{441}\u{3f2}"),
    ('d', "\u{501}"),
    ('e', "\u{435}\u{4bd}"),
    ('h', "\u{4bb}"),
    ('i', "\u{456}\u{3b9}\u{131}"),
    ('j', "\u{458}\u{3f3}"),
    ('k', "\u{43a}\u{3ba}"),
    ('l', "\u{4cf}"),
    ('m', "\u{43c}"),
    ('o', "\u{43e}\u{3bf}"),
    ('p', "\u{440}\u{3c1}"),
    ('q', "\u{51b}"),
    ('r', "\u{433}"),
    ('s', "\u{455}"),
    ('t', "\u{442}"),
    ('u', "\u{3c5}"),
    ('v', "\u{3bd}"),
    ('w', "\u{51d}"),
    ('x', "\u{445}\u{3c7}"),
    ('y', "\u{443}\u{3b3}"),
    ('A', "\u{410}\u{391}"),
    ('B', "\u{412}\u{392}"),
    ('C', "\u{421}\u{3f9}"),
    ('E', "\u{415}\u{395}"),
    ('H', "\u{41d}\u{397}"),
    ('I', "\u{406}\u{399}"),
    ('J', "\u{408}"),
    ('K', "\u{41a}\u{39a}"),
    ('M', "\u{41c}\u{39c}"),
    ('N', "\u{39d}"),
    ('O', "\u{41e}\u{39f}"),
    ('P', "\u{420}\u{3a1}"),
    ('S', "\u{405}"),
    ('T', "\u{422}\u{3a4}"),
    ('X', "\u{425}\u{3a7}"),
    ('Y', "\u{4ae}\u{3a5}"),
    ('Z', "\u{396}"),
];

/// The first letter of another alphabet that looks like one of ours, beside some of ours: its byte, itself,
/// and ours.
pub(crate) fn lookalike(text: &str) -> Option<(usize, char, char)> {
    if text.is_ascii() || !text.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    text.char_indices().find_map(|(at, letter)| Some((at, letter, ours(letter)?)))
}

/// Our letter for one that looks like it.
fn ours(letter: char) -> Option<char> {
    ALIKE.iter().find(|(_, others)| others.contains(letter)).map(|(ours, _)| *ours)
}

/// Text with our letters in the place of those that look like them.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { ours(c).unwrap_or(c) }).collect()
}

/// The cause and the fix.
pub(super) fn said(text: &str) -> Option<(String, String)> {
    let (_, letter, ours) = lookalike(text)?;
    let alphabet = match letter {
        '\u{370}'..='\u{3ff}' => "the Greek",
        '\u{400}'..='\u{52f}' => "the Cyrillic",
        _ => "the foreign",
    };
    let code = u32::from(letter);
    let message = format!(
        "{text:?} holds {alphabet} letter {letter} (U+{code:04X}), which only looks like {ours}"
    );
    Some((message, format!("type it anew: {}", plain(text))))
}

pub(super) fn check(claim: &Claim<'_>, out: &mut Vec<Finding>) {
    for field in ["stream", "consumer", "account", "url"] {
        let text = claim.text(&format!("/spec/nats/{field}")).unwrap_or_default();
        let Some((at, letter, _)) = lookalike(text) else { continue };
        let Some((message, fix)) = said(text) else { continue };
        let path = Path::fields("spec.nats").key(field);
        let mut finding = claim.finding(&catalog::LOOKALIKE, &path, message).help(fix);
        let part = letter.to_string();
        finding.span = path.part(claim.node, text, at, &part).unwrap_or(finding.span);
        out.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing;

    #[test]
    fn letters() {
        let check = |text: &str, expected: &[_]| testing::check(super::check, text, expected);
        check(
            "  nats: {stream: \u{41e}RDERS}\n",
            &[("EDS216", 2, "Cyrillic letter \u{41e} (U+041E)")],
        );
        check("  nats: {consumer: w\u{3bf}rker}\n", &[("EDS216", 2, "Greek letter")]);
        check(
            "  nats: {stream: ORDERS, consumer: gr\u{f6}\u{df}e, account: \u{417}\u{430}\u{43a}\u{430}\u{437}}\n",
            &[],
        );
    }
}
