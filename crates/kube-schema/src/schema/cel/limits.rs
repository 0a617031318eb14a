//! How large an expression may be.
//!
//! The parser, and everything that walks its output, recurses. The `cel` crate's parser itself
//! limits nested brackets, to 96. It does not limit operators next to each other, each of which
//! adds one level to its output.
//!
//! cel-go, which the API server parses with, accepts 100,000 characters
//! (`expressionSizeCodePointLimit`) and 250 levels for each rule of its grammar
//! (`maxRecursionDepth`). [`MAX_LEVELS`] covers all rules together; `&&`, `||` and the entries of a
//! list are balanced or next to each other, and count once.

use cel::Program;
use cel::common::ast::{EntryExpr, Expr, IdedExpr};

/// The most characters in an expression.
const MAX_CHARACTERS: usize = 100_000;
/// The most operators nested in each other.
const MAX_LEVELS: usize = 250;
/// The most characters that may add a level each, wherever they are, strings included. This limit
/// is ours: it bounds what the parser does before levels can be counted.
const MAX_OPERATORS: usize = 5_000;

/// Says what is wrong with the size of an expression before it is parsed, and what to do.
pub(super) fn check(text: &str) -> Result<(), String> {
    let characters = text.chars().count();
    if characters > MAX_CHARACTERS {
        return Err(format!(
            "the expression has {characters} characters, and the API server takes at most \
             {MAX_CHARACTERS}: make several rules of it"
        ));
    }
    let operators = operators(text);
    if operators > MAX_OPERATORS {
        return Err(format!(
            "the expression has {operators} operators, and at most {MAX_OPERATORS} are read: make \
             several rules of it, or compare with a list: self in [...]"
        ));
    }
    Ok(())
}

/// Does the same for an API that is read, which the API server would refuse for it: an expression
/// with so many operators that they may be nested is parsed at once.
pub(super) fn check_api(text: &str) -> Result<(), String> {
    check(text)?;
    if operators(text) <= MAX_LEVELS {
        return Ok(());
    }
    // Any other problem with it is reported where it is used.
    Program::compile(text).map_or(Ok(()), |program| check_levels(program.expression()))
}

fn operators(text: &str) -> usize {
    let signs = text.chars().filter(|c| "+-*/%<>=!?.[(".contains(*c)).count();
    signs + text.matches(" in ").count()
}

/// Does the same for an expression that has been parsed.
pub(super) fn check_levels(expression: &IdedExpr) -> Result<(), String> {
    if levels(expression) <= MAX_LEVELS {
        return Ok(());
    }
    Err(format!(
        "the expression has more than {MAX_LEVELS} operators within each other, which the API \
            server does not parse either: make several rules of it"
    ))
}

fn levels(expression: &IdedExpr) -> usize {
    let most = |parts: &mut dyn Iterator<Item = &IdedExpr>| parts.map(levels).max();
    let below = match &expression.expr {
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => None,
        Expr::Select(select) => Some(levels(&select.operand)),
        Expr::Call(call) => most(&mut call.target.as_deref().into_iter().chain(&call.args)),
        Expr::List(list) => most(&mut list.elements.iter()),
        Expr::Map(map) => {
            let entries = map.entries.iter().map(|entry| &entry.expr);
            most(&mut entries.flat_map(|entry| match entry {
                EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
                EntryExpr::StructField(field) => vec![&field.value],
            }))
        }
        Expr::Struct(made) => {
            let entries = made.entries.iter().map(|entry| &entry.expr);
            most(&mut entries.flat_map(|entry| match entry {
                EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
                EntryExpr::StructField(field) => vec![&field.value],
            }))
        }
        Expr::Comprehension(c) => most(
            &mut [&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result].into_iter(),
        ),
    };
    below.unwrap_or_default() + 1
}

#[cfg(test)]
#[allow(clippy::disallowed_types, reason = "a test needs a thread with a larger stack")]
mod tests {
    use super::*;

    #[track_caller]
    fn parsed(text: &str, words: Option<&str>) {
        let text = text.to_owned();
        let shown: String = text.chars().take(60).collect();
        // In a debug build a level uses thousands of bytes of stack.
        let parse = move || {
            check(&text)?;
            let program = cel::Program::compile(&text).map_err(|e| e.to_string())?;
            check_levels(program.expression())
        };
        let parse = std::thread::Builder::new().stack_size(64 << 20).spawn(parse).unwrap();
        let found = parse.join().unwrap().err();
        let fits = match (&found, words) {
            (Some(found), Some(words)) => found.contains(words),
            (found, None) => found.is_none(),
            _ => false,
        };
        assert!(fits, "{shown}: {found:?}");
    }

    #[test]
    fn what_is_too_large() {
        let levels = Some("more than 250 operators within each other");
        let operators = Some("at most 5000 are read");
        parsed(&["1"; 240].join("+"), None);
        parsed(&["1"; 300].join(" + "), levels);
        parsed(&["self"; 300].join(".a."), levels);
        parsed(&["1"; 300].join(" in "), levels);
        parsed(&format!("self{}", "[0]".repeat(300)), levels);
        parsed(&format!("self{}", ".f()".repeat(300)), levels);
        parsed(&["self.a == 1"; 1000].join(" && "), None);
        parsed(&format!("[{}]", ["self.a + 1"; 1000].join(", ")), None);
        parsed(&["1"; 50_000].join("+"), operators);
        parsed(&"(".repeat(50_000), operators);
        parsed(&["1"; 6_000].join(" in "), operators);
        parsed(&"(".repeat(200), Some("ecursion"));
        parsed(&"1".repeat(100_001), Some("100001 characters"));
    }
}
