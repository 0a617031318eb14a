//! A pattern as instructions over characters, and the machine that runs them. Source: Go 1.26
//! `regexp/syntax/compile.go` and `regexp/exec.go`.
//!
//! As in Go, an instruction reads a whole character. A machine over bytes, such as the `regex`
//! crate's, expands a Unicode class into hundreds of states at every use: `\pL{1000}` would take
//! thousands of times the memory. Here all copies share one set.

use std::sync::Arc;

use super::node::{Expr, Look, Node, Repeat, Repeated};
use super::set::Class;

/// One instruction. Unless it says where to continue, the next one follows.
#[derive(Debug, Clone, Copy)]
enum Inst {
    /// This character.
    Char(char),
    /// One of the characters of the set with this index.
    Class(u32),
    Look(Look),
    /// The beginning (even) or end of a capturing group.
    Save(u32),
    Jump(u32),
    /// Tries the next instruction first, then that one.
    ThisOr(u32),
    /// Tries that instruction first, then the next one.
    ThatOr(u32),
    Match,
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    insts: Vec<Inst>,
    classes: Vec<Arc<Class>>,
    /// Whether every match begins at the beginning of the text.
    anchored: bool,
    /// What every match begins with.
    prefix: String,
}

/// A position in the program, and what has been matched on the way there.
#[derive(Debug, Clone, Copy)]
struct Thread {
    at: u32,
    span: Span,
}

/// Where the requested group begins and ends; [`NOWHERE`] until it takes part.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

const NOWHERE: usize = usize::MAX;

/// How many characters are read between two checks of whether to continue.
const BREATH: usize = 256;

/// The match was given up because nobody is waiting for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl Program {
    pub(super) fn compile(node: &Node) -> Self {
        let mut compiler = Compiler { insts: Vec::new(), classes: Vec::new() };
        compiler.emit(&node.expr);
        compiler.insts.push(Inst::Match);
        let Compiler { mut insts, classes } = compiler;
        insts.shrink_to_fit();
        let mut beginning = insts.iter().filter(|inst| !matches!(inst, Inst::Save(_)));
        let anchored = matches!(beginning.next(), Some(Inst::Look(Look::TextStart)));
        let literal = insts.iter().filter(|inst| !matches!(inst, Inst::Save(_)));
        let literal = literal.map_while(|inst| match inst {
            Inst::Char(c) => Some(*c),
            _ => None,
        });
        // Every match runs these first: no path leads around them.
        let prefix = literal.take(64).collect();
        Self { insts, classes, anchored, prefix }
    }

    /// Returns the number of instructions.
    pub(super) fn len(&self) -> usize {
        self.insts.len()
    }

    /// Returns the bytes of its classes, which other programs may share.
    pub(super) fn class_bytes(&self) -> usize {
        self.classes.iter().map(|class| class.bytes()).sum()
    }

    /// Estimates how many bytes it uses.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.insts) + 8 * self.classes.len() + 256
    }

    /// Returns the most bytes that a run may use.
    pub(super) fn bytes_to_run(&self) -> usize {
        self.insts.len() * (size_of::<u32>() + 2 * size_of::<Thread>())
    }

    /// Finds the leftmost match, preferring the first alternative, and the requested group in it.
    /// If no group is requested, any match will do.
    pub(super) fn run(
        &self,
        text: &str,
        group: Option<usize>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<(usize, usize)>, Stopped> {
        let mut machine = Machine {
            program: self,
            text,
            saves: group.and_then(|group| u32::try_from(2 * group).ok()),
            marks: vec![0; self.insts.len()],
            mark: 1,
            stack: Vec::with_capacity(16),
            last: (u32::MAX, false),
        };
        let (mut now, mut next) = (Vec::with_capacity(16), Vec::with_capacity(16));
        let mut found = None;
        let mut position = 0;
        let mut breath = BREATH;
        loop {
            if now.is_empty() {
                if found.is_some() || self.anchored && position > 0 {
                    break;
                }
                if !self.prefix.is_empty() {
                    match text.get(position..).and_then(|rest| rest.find(&self.prefix)) {
                        Some(skipped) => position += skipped,
                        None => break,
                    }
                }
            }
            if found.is_none() && (position == 0 || !self.anchored) {
                let start = if group == Some(0) { position } else { NOWHERE };
                machine.enter(0, Span { start, end: NOWHERE }, position, &mut now);
            }
            machine.mark += 1;
            let c = text.get(position..).and_then(|rest| rest.chars().next());
            machine.last.0 = u32::MAX;
            let after = position + c.map_or(0, char::len_utf8);
            for thread in now.drain(..) {
                match self.insts.get(thread.at as usize) {
                    Some(Inst::Match) => {
                        let end = if group == Some(0) { position } else { thread.span.end };
                        found = Some((thread.span.start, end));
                        // The threads after this one have lower preference.
                        break;
                    }
                    Some(inst) if c.is_some_and(|c| machine.takes(*inst, c)) => {
                        machine.enter(thread.at + 1, thread.span, after, &mut next);
                    }
                    _ => {}
                }
            }
            if c.is_none() || group.is_none() && found.is_some() {
                break;
            }
            std::mem::swap(&mut now, &mut next);
            position = after;
            // Long programs count for more than short ones.
            breath = breath.saturating_sub(1 + now.len() / 16);
            if breath == 0 {
                if !go_on() {
                    return Err(Stopped);
                }
                breath = BREATH;
            }
        }
        Ok(found)
    }
}

/// A run over one text.
struct Machine<'p> {
    program: &'p Program,
    text: &'p str,
    /// The instruction that saves the beginning of the requested group; the next one saves its end.
    saves: Option<u32>,
    /// For each instruction, the position (as `mark`) at which it was last entered.
    marks: Vec<u32>,
    mark: u32,
    stack: Vec<(u32, Span)>,
    /// The class last tested against the current character, and the result.
    last: (u32, bool),
}

impl Machine<'_> {
    fn takes(&mut self, inst: Inst, c: char) -> bool {
        match inst {
            Inst::Char(expected) => expected == c,
            Inst::Class(index) => {
                if self.last.0 != index {
                    let class = self.program.classes.get(index as usize);
                    self.last = (index, class.is_some_and(|class| class.has(c)));
                }
                self.last.1
            }
            _ => false,
        }
    }

    /// Follows the program from an instruction to those that read a character, in order of
    /// preference.
    fn enter(&mut self, at: u32, span: Span, position: usize, threads: &mut Vec<Thread>) {
        self.stack.push((at, span));
        while let Some((mut at, mut span)) = self.stack.pop() {
            while let (Some(mark), Some(&inst)) =
                (self.marks.get_mut(at as usize), self.program.insts.get(at as usize))
            {
                if *mark == self.mark {
                    break;
                }
                *mark = self.mark;
                match inst {
                    Inst::Char(_) | Inst::Class(_) | Inst::Match => {
                        threads.push(Thread { at, span });
                        break;
                    }
                    Inst::Look(look) => {
                        if !holds(look, self.text, position) {
                            break;
                        }
                        at += 1;
                    }
                    Inst::Save(number) => {
                        if Some(number) == self.saves {
                            span.start = position;
                        } else if number.checked_sub(1) == self.saves && self.saves.is_some() {
                            span.end = position;
                        }
                        at += 1;
                    }
                    Inst::Jump(to) => at = to,
                    Inst::ThisOr(other) => {
                        self.stack.push((other, span));
                        at += 1;
                    }
                    Inst::ThatOr(other) => {
                        self.stack.push((at + 1, span));
                        at = other;
                    }
                }
            }
        }
    }
}

fn holds(look: Look, text: &str, position: usize) -> bool {
    let bytes = text.as_bytes();
    let before = position.checked_sub(1).and_then(|i| bytes.get(i));
    let after = bytes.get(position);
    let word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    match look {
        Look::TextStart => position == 0,
        Look::TextEnd => after.is_none(),
        Look::LineStart => before.is_none_or(|b| *b == b'\n'),
        Look::LineEnd => after.is_none_or(|b| *b == b'\n'),
        Look::WordBoundary => word(before) != word(after),
        Look::NoWordBoundary => word(before) == word(after),
    }
}

struct Compiler {
    insts: Vec<Inst>,
    classes: Vec<Arc<Class>>,
}

impl Compiler {
    /// Returns the number of the next instruction. Limits keep it far below `u32::MAX`.
    fn here(&self) -> u32 {
        u32::try_from(self.insts.len()).unwrap_or(u32::MAX)
    }

    /// Reserves a place for a jump or split.
    fn reserve(&mut self) -> usize {
        self.insts.push(Inst::Match);
        self.insts.len() - 1
    }

    fn fill(&mut self, place: usize, inst: Inst) {
        if let Some(reserved) = self.insts.get_mut(place) {
            *reserved = inst;
        }
    }

    fn emit(&mut self, expr: &Expr) {
        match expr {
            Expr::Empty => {}
            Expr::Literal(text) => self.insts.extend(text.chars().map(Inst::Char)),
            Expr::Class(class) => {
                let known = self.classes.iter().rev().take(8).position(|it| Arc::ptr_eq(it, class));
                let index = match known {
                    Some(back) => self.classes.len() - 1 - back,
                    None => {
                        self.classes.push(Arc::clone(class));
                        self.classes.len() - 1
                    }
                };
                self.insts.push(Inst::Class(u32::try_from(index).unwrap_or(u32::MAX)));
            }
            Expr::Look(look) => self.insts.push(Inst::Look(*look)),
            Expr::Capture(number, inner) => {
                let number = u32::try_from(2 * number).unwrap_or(u32::MAX - 1);
                self.insts.push(Inst::Save(number));
                self.emit(inner);
                self.insts.push(Inst::Save(number + 1));
            }
            Expr::Concat(parts) => parts.iter().for_each(|part| self.emit(part)),
            Expr::Alternate(parts) => self.alternate(parts),
            Expr::Repeat(repeated) => self.repeat(repeated),
        }
    }

    fn alternate(&mut self, parts: &[Expr]) {
        let mut ends = Vec::with_capacity(parts.len());
        for (i, part) in parts.iter().enumerate() {
            let split = (i + 1 < parts.len()).then(|| self.reserve());
            self.emit(part);
            if let Some(split) = split {
                ends.push(self.reserve());
                self.fill(split, Inst::ThisOr(self.here()));
            }
        }
        for end in ends {
            self.fill(end, Inst::Jump(self.here()));
        }
    }

    fn repeat(&mut self, repeated: &Repeated) {
        match repeated.op {
            Repeat::Star | Repeat::Count(0, -1) => self.star(repeated),
            Repeat::Plus | Repeat::Count(1, -1) => self.plus(repeated),
            Repeat::Quest => self.optional(repeated, 1),
            Repeat::Count(min, -1) => {
                for _ in 1..min {
                    self.emit(&repeated.inner);
                }
                self.plus(repeated);
            }
            Repeat::Count(min, max) => {
                for _ in 0..min {
                    self.emit(&repeated.inner);
                }
                self.optional(repeated, max - min);
            }
        }
    }

    fn star(&mut self, repeated: &Repeated) {
        let split = self.reserve();
        if repeated.nullable {
            // (x+)? prefers as x* should: golang.org/issue/46123.
            self.plus(repeated);
        } else {
            self.emit(&repeated.inner);
            self.insts.push(Inst::Jump(u32::try_from(split).unwrap_or(u32::MAX)));
        }
        self.fill(split, self.skip(repeated.lazy));
    }

    fn plus(&mut self, repeated: &Repeated) {
        let start = self.here();
        self.emit(&repeated.inner);
        self.insts.push(if repeated.lazy { Inst::ThisOr(start) } else { Inst::ThatOr(start) });
    }

    /// Compiles `(x(x(x)?)?)?`: each inside the one before.
    fn optional(&mut self, repeated: &Repeated, times: i64) {
        let mut splits = Vec::new();
        for _ in 0..times {
            splits.push(self.reserve());
            self.emit(&repeated.inner);
        }
        for split in splits {
            self.fill(split, self.skip(repeated.lazy));
        }
    }

    /// Returns a split before something optional that ends here.
    fn skip(&self, lazy: bool) -> Inst {
        if lazy { Inst::ThatOr(self.here()) } else { Inst::ThisOr(self.here()) }
    }
}
