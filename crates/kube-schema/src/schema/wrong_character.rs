//! Finds the character of a text that a pattern refuses: the first after which nothing could make
//! the text match.
//!
//! The pattern runs as an automaton, character by character; once it dies, the text can no longer
//! become a match, whatever follows.

use regex_automata::Anchored;
use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson;
use regex_automata::util::start;

use crate::characters;

/// Texts longer than this, and patterns larger than [`NFA_LIMIT`], are not examined.
const LONGEST: usize = 4096;
/// The most bytes that a pattern's automaton may use.
const NFA_LIMIT: usize = 4 << 20;

/// Where a text stops matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// At this character, counted from 0.
    Character(usize),
    /// The only thing wrong is that it ends here.
    End,
}

/// Returns where a text stops matching a pattern that it does not match. Returns `None` if that is
/// unknown: the pattern is not anchored at the text's beginning, or one of the two is too large.
pub(super) fn find(pattern: &str, text: &str) -> Option<Wrong> {
    if text.len() > LONGEST || !pattern.starts_with('^') {
        return None;
    }
    let dfa = DFA::builder()
        .thompson(thompson::Config::new().nfa_size_limit(Some(NFA_LIMIT)))
        .build(pattern)
        .ok()?;
    let mut cache = dfa.create_cache();
    let config = start::Config::new().anchored(Anchored::Yes);
    let mut state = dfa.start_state(&mut cache, &config).ok()?;
    for (index, character) in text.chars().enumerate() {
        let mut bytes = [0; 4];
        for byte in character.encode_utf8(&mut bytes).bytes() {
            state = dfa.next_state(&mut cache, state, byte).ok()?;
            if state.is_quit() {
                return None;
            }
            if state.is_dead() {
                return Some(Wrong::Character(index));
            }
        }
    }
    Some(Wrong::End)
}

/// Names a character for a sentence.
pub(super) fn named(character: char) -> String {
    match character {
        ' ' => "a space".to_owned(),
        '\t' => "a tab".to_owned(),
        '\n' => "a line break".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '\'' => "an apostrophe".to_owned(),
        c if characters::sign(c).is_some() => characters::named(c).unwrap_or_default(),
        c if c.is_control() || c.is_whitespace() || !c.is_ascii() && !c.is_alphanumeric() => {
            format!("U+{:04X}", u32::from(c))
        }
        c if c.is_ascii_uppercase() => format!("the capital {c}"),
        c => format!("'{c}'"),
    }
}

/// Suggests what the writer may have meant: the text without surrounding spaces, in lower case, or
/// with dashes instead of what is refused.
pub(super) fn mended(text: &str, pattern: &str, fits: &dyn Fn(&str) -> bool) -> Option<String> {
    if text.len() > 128 {
        return None;
    }
    let seen = characters::visible(text).trim().to_owned();
    let plain = [seen.clone(), seen.to_lowercase()];
    if let Some(found) = plain.into_iter().find(|t| t != text && fits(t)) {
        return Some(found);
    }
    // Between two dots something is missing.
    if text.contains(['$', '{', '/', '@', '%', ':']) || text.contains("..") {
        return None;
    }
    let mut candidate = text.trim().to_owned();
    for _ in 0..8 {
        match find(pattern, &candidate)? {
            Wrong::Character(index) => {
                let at = candidate.char_indices().nth(index)?.0;
                let wrong = candidate.get(at..)?.chars().next()?;
                let with = if wrong.is_uppercase() {
                    wrong.to_lowercase().to_string()
                } else {
                    "-".to_owned()
                };
                candidate.replace_range(at..at + wrong.len_utf8(), &with);
            }
            Wrong::End => {
                if fits(&candidate) {
                    break;
                }
                candidate.pop();
            }
        }
    }
    while candidate.contains("--") && !text.contains("--") {
        candidate = candidate.replace("--", "-");
    }
    let candidate = candidate.trim_matches('-').to_owned();
    (candidate != text && fits(&candidate)).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<Wrong>) {
        assert_eq!(find(pattern, text), expected, "{pattern} {text:?}");
    }

    #[test]
    fn what_was_meant() {
        let fits = |text: &str| !text.contains("..") && !text.starts_with('.');
        let pattern = "^[a-z-]+([.][a-z-]+)*$";
        assert_eq!(mended("a..b", pattern, &fits), None);
        assert_eq!(mended("a b", pattern, &fits), Some("a-b".to_owned()));
    }

    #[test]
    fn the_character_after_which_nothing_fits() {
        check("^[a-z]+$", "abC1", Some(Wrong::Character(2)));
        check("^[a-z]+$", "", Some(Wrong::End));
        check("^(nats|tls)://.+$", "http://x", Some(Wrong::Character(0)));
        check("^(nats|tls)://.+$", "tlsx", Some(Wrong::Character(3)));
        check("^(nats|tls)://.+$", "tls:", Some(Wrong::End));
        check("^[^.]+$", "äö.", Some(Wrong::Character(2)));
        check("^a{2}$", "aaa", Some(Wrong::Character(2)));
        check("a", "b", None);
        check("^(a{1000}){1000}{1000}$", "b", None);
    }
}
