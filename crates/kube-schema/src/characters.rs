//! Characters that are mistaken for one of ours, or are invisible: their names, and what was meant.
//! The only place that knows them; the messages for broken YAML, patterns and names ask here.

/// What an invisible character stands for.
const NOTHING: &str = "";

/// Characters that look like an ASCII one, or like nothing, with their names and what was meant.
const SIGNS: &[(char, &str, &str)] = &[
    ('\u{a0}', "a no-break space", "a space"),
    ('\u{2007}', "a figure space", "a space"),
    ('\u{202f}', "a narrow no-break space", "a space"),
    ('\u{2003}', "an em space", "a space"),
    ('\u{2002}', "an en space", "a space"),
    ('\u{2009}', "a thin space", "a space"),
    ('\u{3000}', "a full-width space", "a space"),
    ('\u{200b}', "a zero-width space", NOTHING),
    ('\u{200c}', "a zero-width non-joiner", NOTHING),
    ('\u{200d}', "a zero-width joiner", NOTHING),
    ('\u{2060}', "a word joiner", NOTHING),
    ('\u{feff}', "a byte order mark", NOTHING),
    ('\u{ad}', "a soft hyphen", NOTHING),
    ('\u{200e}', "a left-to-right mark", NOTHING),
    ('\u{200f}', "a right-to-left mark", NOTHING),
    ('\u{202a}', "a mark of the text's direction", NOTHING),
    ('\u{202b}', "a mark of the text's direction", NOTHING),
    ('\u{202c}', "a mark of the text's direction", NOTHING),
    ('\u{202d}', "a mark of the text's direction", NOTHING),
    ('\u{202e}', "a mark of the text's direction", NOTHING),
    ('\u{2011}', "a no-break hyphen", "-"),
    ('\u{2010}', "a hyphen of its own", "-"),
    ('\u{2022}', "a bullet", "-"),
    ('\u{b7}', "a middle dot", "-"),
    ('\u{2023}', "a bullet", "-"),
    ('\u{ff1a}', "a full-width colon", "a colon"),
    ('\u{a789}', "a letter that looks like a colon", "a colon"),
    ('\u{2236}', "a ratio sign", "a colon"),
    ('\u{201c}', "a typographic quote", "\""),
    ('\u{201d}', "a typographic quote", "\""),
    ('\u{201e}', "a typographic quote", "\""),
    ('\u{2018}', "a typographic quote", "'"),
    ('\u{2019}', "a typographic quote", "'"),
    ('\u{2013}', "an en dash", "-"),
    ('\u{2014}', "an em dash", "-"),
    ('\u{2212}', "a minus sign", "-"),
    ('\u{ff0d}', "a full-width hyphen", "-"),
    ('\u{ff0c}', "a full-width comma", "a comma"),
    ('\u{3001}', "an ideographic comma", "a comma"),
    ('\u{ff3b}', "a full-width bracket", "["),
    ('\u{ff5b}', "a full-width brace", "{"),
];

/// Returns the name of a character that looks like another, or like nothing, and what was meant:
/// empty if nothing.
pub(crate) fn sign(character: char) -> Option<(&'static str, &'static str)> {
    let is = |(known, ..): &&(char, &str, &str)| *known == character;
    SIGNS.iter().find(is).map(|(_, name, meant)| (*name, *meant))
}

/// Returns the first such character of a text, and its byte offset.
pub fn first_sign(text: &str) -> Option<(usize, char)> {
    if text.is_ascii() {
        return None;
    }
    text.char_indices().find(|(_, character)| sign(*character).is_some())
}

/// Names a character with its number, as in `a no-break space (U+00A0)`.
pub fn named(character: char) -> Option<String> {
    let (name, _) = sign(character)?;
    Some(format!("{name} (U+{:04X})", u32::from(character)))
}

/// Removes the invisible characters from a text.
pub(crate) fn visible(text: &str) -> String {
    text.chars().filter(|c| sign(*c).is_none_or(|(_, meant)| meant != NOTHING)).collect()
}

/// Our letters, and the Greek and Cyrillic letters that look the same.
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

/// Returns the first letter of another alphabet that looks like one of ours and is next to some of
/// ours: its byte offset, itself, and our letter.
pub fn foreign_letter(text: &str) -> Option<(usize, char, char)> {
    if text.is_ascii() || !text.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    text.char_indices().find_map(|(at, letter)| Some((at, letter, ours(letter)?)))
}

/// Returns our letter for one that looks like it.
fn ours(letter: char) -> Option<char> {
    ALIKE.iter().find(|(_, others)| others.contains(letter)).map(|(ours, _)| *ours)
}

/// Replaces letters that look like ours by ours.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { ours(c).unwrap_or(c) }).collect()
}

/// Returns the cause and the fix.
pub fn explain(text: &str) -> Option<(String, String)> {
    let (_, letter, ours) = foreign_letter(text)?;
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
