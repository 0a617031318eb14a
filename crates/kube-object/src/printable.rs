//! Text from outside, made safe to print.
//!
//! File names, values of claims, git's names, pod logs and messages from the cluster may contain
//! sequences that a terminal or a build log obeys. [`printable`] alone decides what may be shown;
//! it is called where text is written, not where it is read.

use std::borrow::Cow;

/// Returns a text as one line without anything that a terminal or a build log would obey.
///
/// Each character becomes one character, so columns stay where they are: a tab becomes a space,
/// control characters become their pictures (`␛`, `␊`), and anything that reorders or hides text
/// becomes `�`. Callers split text of several lines first.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let plain = text.chars().all(|c| shown(c) == c) && !COMMANDS.iter().any(|c| text.contains(c));
    if plain {
        return Cow::Borrowed(text);
    }
    let mut line: String = text.chars().map(shown).collect();
    for command in COMMANDS {
        // Breaking one mark is enough, and keeps the width.
        let broken = command.replacen("##", "#\u{fffd}", 1);
        line = line.replace(command, &broken);
    }
    Cow::Owned(line)
}

/// What GitHub's and Azure's runners take for a command anywhere in a line. (`::command::` only
/// counts at the start of a line, where there is never text from outside.)
///
/// Source: `actions/runner`, `ActionCommand.TryParse`; `microsoft/azure-pipelines-agent`,
/// `Command`.
const COMMANDS: [&str; 2] = ["##[", "##vso["];

/// Returns the character to show instead: usually the same one.
fn shown(c: char) -> char {
    match c {
        '\t' => ' ',
        // Unicode has a picture for each of these.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if c.is_control() || obeyed(c) => '\u{fffd}',
        c => c,
    }
}

/// Reports whether a character, though not a control character, changes how others are shown: it
/// reorders them, ends the line, or is invisible.
const fn obeyed(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        | '\u{2028}' | '\u{2029}'
        | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Reports whether printing this character as it is would show or do something else.
#[must_use]
pub fn is_printable(c: char) -> bool {
    c == '\t' || shown(c) == c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(printable(text), expected);
        assert_eq!(text.chars().count(), expected.chars().count(), "columns moved");
        assert_eq!(printable(expected), expected, "said twice, it changes again");
    }

    #[test]
    fn what_is_shown() {
        check(
            "spec.size: \"größe\" ✓ 日本 \u{1f469}\u{200d}\u{1f680}",
            "spec.size: \"größe\" ✓ 日本 \u{1f469}\u{200d}\u{1f680}",
        );
        check("a\tb", "a b");
        check("\u{1b}[31mred\u{1b}]0;title\u{7}", "␛[31mred␛]0;title␇");
        check("one\r\n::error::two", "one␍␊::error::two");
        check("\0\u{7f}\u{9b}2J\u{85}", "␀␡\u{fffd}2J\u{fffd}");
        check(
            "user\u{202e}nimda\u{2066}x\u{2069}\u{200f}\u{61c}",
            "user\u{fffd}nimda\u{fffd}x\u{fffd}\u{fffd}\u{fffd}",
        );
        check("a\u{2028}b\u{2029}c\u{feff}d\u{200b}e", "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e");
        check("\u{e0041}", "\u{fffd}");
        check(
            "x ##[error]y ##vso[task.x]z ###[w",
            "x #\u{fffd}[error]y #\u{fffd}vso[task.x]z ##\u{fffd}[w",
        );
    }

    #[test]
    fn what_is_fine_is_not_copied() {
        assert!(matches!(printable("plain"), Cow::Borrowed(_)));
    }
}
