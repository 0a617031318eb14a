//! The ways in which a document can fail to be YAML.

use super::Position;

/// What stops a document from being read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) fault: Fault,
    /// Where it was noticed.
    pub(super) at: Position,
    /// Where the value or collection that contains it starts.
    pub(super) context: Position,
}

/// Each is one of go-yaml 2's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A character that YAML forbids.
    Character(char),
    /// A line that starts with `---` and continues.
    Separator,
    /// Text after JSON that is not JSON.
    AfterJson,
    /// A character that cannot start a value: `@`, a backtick, `%`, a tab.
    CannotStart(char),
    /// A key that must be on one line with its colon.
    NoColon,
    EntryNotAllowed,
    KeyNotAllowed,
    ValueNotAllowed,
    PlainTab,
    BlockTab,
    BlockHeader,
    BlockIndentZero,
    OpenQuote,
    QuoteAcrossDocuments,
    UnknownEscape,
    EscapeDigits,
    EscapeRange,
    AnchorName,
    Tag,
    UndefinedTagHandle,
    Directive,
    DirectiveWithoutDocument,
    DuplicateDirective,
    Version,
    NoContent,
    NoKey,
    NoDash,
    OpenSequence,
    OpenMapping,
    Deep,
    Large,
}

impl Fault {
    /// Says what is wrong to a person who does not know the parser.
    pub(super) fn message(self) -> String {
        let text = match self {
            Self::Character(c) => {
                return format!("the character U+{:04X} is not allowed in YAML", u32::from(c));
            }
            Self::CannotStart('\t') => {
                "a tab stands where a value or indentation is wanted; YAML indents with spaces"
            }
            Self::CannotStart(c) => return format!("no value can start with {c:?}"),
            Self::Separator => {
                "a line that starts with --- separates documents; nothing but a comment may follow"
            }
            Self::AfterJson => "this is not JSON, which the file holds so far",
            Self::NoColon => "a key must be followed by a colon and a space on the same line",
            Self::EntryNotAllowed => "a list entry (- ) cannot stand here",
            Self::KeyNotAllowed => "a key cannot stand here",
            Self::ValueNotAllowed => {
                "a second colon with a space after it: a value with \": \" in it needs quotes"
            }
            Self::PlainTab | Self::BlockTab => {
                "this line is indented with a tab; YAML indents with spaces"
            }
            Self::BlockHeader => {
                "after | or > comes nothing but an indentation digit, + or -, and a comment"
            }
            Self::BlockIndentZero => "an indentation of 0 is not possible after | or >",
            Self::OpenQuote => "this quote is not closed",
            Self::QuoteAcrossDocuments => "this quote is not closed before the document ends",
            Self::UnknownEscape => {
                "this escape is not known; in double quotes a backslash is written \\\\"
            }
            Self::EscapeDigits => "this escape needs hexadecimal digits",
            Self::EscapeRange => "this escape is not a Unicode character",
            Self::AnchorName => {
                "the name of an anchor (&) or alias (*) has letters, digits, - and _; a text that \
                    starts with & or * needs quotes"
            }
            Self::Tag => "this is not a tag; a text that starts with ! needs quotes",
            Self::UndefinedTagHandle => "this tag's handle is not defined",
            Self::Directive => {
                "a line that starts with % is a directive, and this is not one; a text that starts \
                    with % needs quotes"
            }
            Self::DirectiveWithoutDocument => {
                "kubectl reads no directives: remove the line that starts with %"
            }
            Self::DuplicateDirective => "this directive stands twice",
            Self::Version => "only %YAML 1.1 is read",
            Self::NoContent => "a value is missing here",
            Self::NoKey => "this line is not indented like the keys before it",
            Self::NoDash => "this line is not indented like the list entries before it",
            Self::OpenSequence => "a comma or ] is missing in the list that starts with [",
            Self::OpenMapping => "a comma or } is missing in the mapping that starts with {",
            Self::Large => return format!("more than {} values in one document", super::MAX_NODES),
            Self::Deep => return format!("nested deeper than {} levels", super::MAX_DEPTH),
        };
        text.to_owned()
    }
}
