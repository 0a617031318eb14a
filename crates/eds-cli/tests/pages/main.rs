//! The pages for people are true: claims in them are valid, commands of `eds` print what is shown,
//! what only a cluster can show was recorded from one, and links lead somewhere.
//!
//! A comment on the line above a block says what else checks it:
//!
//! | comment | the block is |
//! |---|---|
//! | `<!-- file: PATH -->` | that file of `platform/04-apis` |
//! | `<!-- recorded: NAME -->` | that file of `platform/04-apis/tests/recorded` |
//! | `<!-- of: FILE -->` | a part of that file of the repository, line by line |
//! | `<!-- step: NAME -->` | carried out as it stands by `testbed/proofs/migration` |
//!
//! Any claim is valid without warnings; the first line of a block, `# NAME.yaml`, names the file
//! that commands take. Below a command is everything that it prints, with `...` for lines left out,
//! or nothing.
//!
//! `EDS_UPDATE_GOLDEN=1 cargo test -p eds-cli --test pages` writes such blocks, the output of
//! commands, and the pictures; if there is only `?` below a command, it becomes what it prints.

#![cfg(test)]

mod known;
mod markdown;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::Command;

use kube_schema::yaml;
use markdown::{Block, Page, commands, matches};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn updating() -> bool {
    std::env::var("EDS_UPDATE_GOLDEN").as_deref() == Ok("1")
}

/// Returns every page that git knows: add a new one first.
fn pages() -> Vec<String> {
    let list = ["ls-files", "*.md"];
    let listed = Command::new("git").args(list).current_dir(root()).output().unwrap();
    let mut pages: Vec<String> =
        String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
    pages.retain(|page| root().join(page).is_file());
    assert!(pages.len() > 10, "git lists only {pages:?}");
    pages
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"))
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let folder = Path::new(&page).parent().unwrap();
        let own = Page::read(&read(&page));
        for link in &own.links {
            let target = &link.target;
            if target.starts_with("https://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').map_or((target.as_str(), ""), |t| t);
            let to = root().join(folder).join(file);
            let there = match (file.is_empty(), anchor.is_empty()) {
                (true, _) => own.anchors.iter().any(|a| a == anchor),
                (false, true) => to.exists(),
                (false, false) => std::fs::read_to_string(&to)
                    .is_ok_and(|text| Page::read(&text).anchors.iter().any(|a| a == anchor)),
            };
            if !there {
                broken.push(format!("{page}:{}: {target}", link.line));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

/// A command of eds named in a sentence exists, with the options named along with it.
#[test]
fn commands_in_sentences_are_commands() {
    let help = |words: &[&str]| {
        let mut eds = Command::new(env!("CARGO_BIN_EXE_eds"));
        let output = eds.args(words).arg("--help").output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let (mut wrong, mut tried) = (Vec::new(), 0);
    // What is planned is not a command yet.
    let readme = read("README.md");
    let planned = readme.split_once("## What is not here yet").map_or("", |(_, rest)| rest);
    for page in pages() {
        for (line, code) in Page::read(&read(&page)).codes {
            let Some(command) = code.strip_prefix("eds ") else { continue };
            let name = command.split(' ').next().unwrap_or_default();
            if planned.contains(&format!("`eds {name}`")) {
                continue;
            }
            let mut words: Vec<&str> = command.split_whitespace().collect();
            let options: Vec<&str> =
                words.iter().filter(|w| w.starts_with("--")).copied().collect();
            // A command, and below `verify` another one.
            let lower = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            words.retain(|word| !word.starts_with('-'));
            words = words.into_iter().take_while(lower).take(2).collect();
            if words.first() != Some(&"verify") {
                words.truncate(1);
            }
            tried += 1;
            let known = help(&words);
            let lacks = |option: &&&str| {
                let option = option.split('=').next().unwrap_or_default();
                !known.as_ref().is_some_and(|help| help.contains(option))
            };
            if words.is_empty() || known.is_none() || options.iter().find(lacks).is_some() {
                wrong.push(format!("{page}:{line}: {code}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(tried > 20, "only {tried} commands are named");
}

/// The pages for application developers: everything they show is checked, as in README.md.
const GUIDE: &str = "platform/04-apis/";

#[test]
fn what_the_pages_show_is_so() {
    let mut wrong = Vec::new();
    let (mut claims, mut run) = (0, 0);
    for page in pages().iter().filter(|p| *p == "README.md" || p.starts_with(GUIDE)) {
        let here = Scratch::new(page);
        let mut text = read(page);
        for block in Page::read(&text).blocks {
            let at = format!("{page}:{}", block.line);
            match block.shows(&here, &mut claims, &mut run) {
                Ok(()) => {}
                Err(Wrong::Instead(now)) if updating() => text = instead(&text, &block, &now),
                Err(Wrong::Instead(now)) => {
                    wrong.push(format!("{at}: shows\n{}\nbut it is\n{now}", block.text));
                }
                Err(Wrong::Because(why)) => wrong.push(format!("{at}: {why}")),
            }
        }
        if updating() {
            std::fs::write(root().join(page), text).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(claims >= 4 && run >= 8, "only {claims} claims and {run} commands of eds were tried");
}

/// Returns the page with `now` in place of the block's text.
fn instead(page: &str, block: &Block, now: &str) -> String {
    let fence = format!("```{}\n", block.info);
    // Blocks are handled from first to last, and earlier ones may have grown: a block is found by
    // its mark, or its text.
    let old = match &block.mark {
        Some((key, value)) => format!("<!-- {key}: {value} -->\n{fence}{}", block.text),
        None => format!("{fence}{}", block.text),
    };
    assert!(page.contains(&old), "line {}: indented blocks are written by hand", block.line);
    page.replacen(
        &old,
        &old.replace(&format!("{fence}{}", block.text), &format!("{fence}{now}")),
        1,
    )
}

/// A copy of the API's folder, where a page's commands run and its claims are.
struct Scratch(PathBuf);

impl Scratch {
    fn new(page: &str) -> Self {
        let name = page.replace(['/', '.'], "-");
        let here = std::env::temp_dir().join(format!("eds-page-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&here);
        std::fs::create_dir_all(&here).unwrap();
        let copy = ["-r", "--parents", "platform/04-apis"];
        let copied = Command::new("cp").args(copy).arg(&here).current_dir(root()).status();
        assert!(copied.unwrap().success());
        let here = Self(here);
        // What the migration page begins with.
        let direct = here.0.join("platform/04-apis/tests/fixtures/direct");
        if direct.is_dir() {
            std::fs::create_dir_all(here.0.join("deploy")).unwrap();
            std::fs::rename(direct, here.0.join("deploy/agent-executor")).unwrap();
        }
        // The claims of the first page are those that the others talk about.
        for block in Page::read(&read("platform/04-apis/README.md")).blocks {
            if let Some(name) = block.file_name() {
                here.write(name, &block.text);
            }
        }
        here
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    /// Returns standard output and error together, and the exit status.
    fn run(&self, command: &str) -> (String, Option<i32>) {
        let eds = Path::new(env!("CARGO_BIN_EXE_eds"));
        let path = format!(
            "{}:{}",
            eds.parent().unwrap().display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let script = format!("exec 2>&1\n{command}");
        let mut bash = Command::new("bash");
        let bash = bash.args(["-c", &script]).current_dir(&self.0).env("PATH", path);
        let output = bash.env("NO_COLOR", "1").output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

enum Wrong {
    /// This should be there.
    Instead(String),
    Because(String),
}

impl Block {
    fn shows(&self, here: &Scratch, claims: &mut usize, run: &mut usize) -> Result<(), Wrong> {
        let because = |why: String| Err(Wrong::Because(why));
        match self.mark.as_ref().map(|(key, value)| (key.as_str(), value.as_str())) {
            Some(("file", path)) => return self.is(&read(&format!("{GUIDE}{path}"))),
            Some(("recorded", name)) => {
                return self.is(&read(&format!("{GUIDE}tests/recorded/{name}")));
            }
            Some(("of", path)) => {
                let whole = read(path);
                let mut lines = whole.lines().map(str::trim);
                let missing =
                    self.text.lines().map(str::trim).find(|l| lines.all(|line| line != *l));
                return missing
                    .map_or(Ok(()), |line| because(format!("{path} has no line {line:?} here")));
            }
            Some(("step", name)) => {
                let proof = read(known::STEPS);
                return match proof.contains(&format!("\"{name}\"")) {
                    true => Ok(()),
                    false => because(format!("{} takes no step {name}", known::STEPS)),
                };
            }
            Some((key, _)) => return because(format!("what does {key} mean?")),
            _ => {}
        }
        match self.info.as_str() {
            "yaml" => self.yaml(here, claims),
            "console" => self.console(here, run),
            "json" => serde_json::from_str::<serde_json::Value>(&self.text)
                .map_or_else(|e| because(e.to_string()), |_| Ok(())),
            info => match known::BLOCKS
                .iter()
                .find(|(kind, begin, _)| *kind == info && self.text.starts_with(begin))
            {
                Some(_) => Ok(()),
                None => because(format!("who says that this block ({info:?}) is right?")),
            },
        }
    }

    /// The first line of a YAML block may name the file that commands take.
    fn file_name(&self) -> Option<&str> {
        let name = self.text.lines().next()?.strip_prefix("# ")?;
        (self.info == "yaml" && name.ends_with(".yaml") && !name.contains([' ', '/']))
            .then_some(name)
    }

    fn is(&self, text: &str) -> Result<(), Wrong> {
        if self.text == text { Ok(()) } else { Err(Wrong::Instead(text.to_owned())) }
    }

    /// Checks that a claim, or just its `spec`, is valid without warnings. Other objects must
    /// parse.
    fn yaml(&self, here: &Scratch, claims: &mut usize) -> Result<(), Wrong> {
        let stream = yaml::parse(&self.text);
        if let Some(problem) = stream.problems.first() {
            return Err(Wrong::Because(problem.message.clone()));
        }
        let mut text = self.text.clone();
        let is_claim = text.contains("kind: EventDrivenService\n");
        if text.starts_with("spec:\n") {
            text = format!(
                "apiVersion: platform.bizmatters.io/v1alpha1\nkind: \
                    EventDrivenService\nmetadata:\n  name: worker\n  namespace: shop\n{text}"
            );
            let has =
                |key: &str| self.text.lines().any(|line| line.starts_with(&format!("  {key}:")));
            if !has("image") {
                text.push_str("  image: registry.example.com/worker:1.0.0\n");
            }
            if !has("nats") {
                text.push_str("  nats: {stream: ORDERS, consumer: orders}\n");
            }
        } else if !is_claim {
            let kinds: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("kind: ")).collect();
            return match kinds.iter().find(|kind| !known::KINDS.contains(kind)) {
                Some(kind) => Err(Wrong::Because(format!("who says that this {kind} is right?"))),
                None => Ok(()),
            };
        }
        let name = self.file_name().unwrap_or("a-claim.yaml");
        here.write(name, &text);
        *claims += 1;
        let (said, status) = here.run(&format!("eds validate --strict {name}"));
        if status == Some(0) { Ok(()) } else { Err(Wrong::Because(said)) }
    }

    fn console(&self, here: &Scratch, run: &mut usize) -> Result<(), Wrong> {
        let mut now = String::new();
        for (command, shown) in commands(&self.text) {
            now.push_str(&format!("$ {command}\n"));
            if let Some(held) = known::held(&command) {
                let proof = read(held.proof);
                if held.proof == known::GUIDE && !proof.contains(&command) {
                    return Err(Wrong::Because(format!("{} does not type {command}", held.proof)));
                }
                now.push_str(&shown);
                continue;
            }
            if !known::HERE.iter().any(|name| command.starts_with(name)) {
                return Err(Wrong::Because(format!("who says that {command:?} works?")));
            }
            *run += 1;
            let (said, status) = here.run(&command);
            // A difference, or something lost, is an answer.
            let answers = known::ANSWERS.iter().any(|name| command.starts_with(name));
            if status == Some(2) || (status != Some(0) && shown.is_empty() && !answers) {
                return Err(Wrong::Because(format!("{command} ends with {status:?}: {said}")));
            }
            now.push_str(if shown.is_empty() || matches(&shown, &said) { &shown } else { &said });
        }
        self.is(&now)
    }
}

/// What is run in a terminal, so that it is coloured, and the pictures of it.
#[test]
fn pictures_show_what_a_terminal_shows() {
    let here = Scratch::new("pictures");
    let claim = std::fs::read_to_string(here.0.join("orders-claim.yaml")).unwrap();
    let (good, bad) = known::MISTAKES;
    assert!(claim.contains(good), "{claim}");
    here.write("orders-claim.yaml", &claim.replace(good, bad));
    let mut wrong = Vec::new();
    for (picture, command) in known::PICTURES {
        let text = match command.strip_prefix("recorded ") {
            Some(_) => None,
            None => {
                let terminal = format!("TERM=xterm script -qec 'NO_COLOR= {command}' /dev/null");
                Some(here.run(&terminal).0.replace('\r', ""))
            }
        };
        let (command, text) = match (text, command.strip_prefix("recorded ")) {
            (Some(text), _) => ((*command).to_owned(), text),
            (None, name) => {
                let recorded = read(&format!("{GUIDE}tests/recorded/{}", name.unwrap_or_default()));
                let (first, rest) = recorded.split_once('\n').unwrap();
                (first.trim_start_matches("$ ").to_owned(), rest.replace('\r', ""))
            }
        };
        assert!(text.contains("\x1b["), "{command} has no colours: {text}");
        let svg = terminal::svg(&command, &shortened(&text), 122);
        let path = root().join(GUIDE).join("docs/img").join(picture);
        if updating() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &svg).unwrap();
        }
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&svg) {
            wrong.push(*picture);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}: EDS_UPDATE_GOLDEN=1 cargo test -p eds-cli --test pages");
}

/// Keeps the first lines and the last, if there are more than a picture should have.
fn shortened(text: &str) -> String {
    const LINES: usize = 24;
    let lines: Vec<&str> = text.trim_end().lines().collect();
    match lines.as_slice() {
        [first @ .., last] if lines.len() > LINES => {
            format!("{}\n  \u{1b}[2m…\u{1b}[0m\n{last}\n", first[..LINES - 2].join("\n"))
        }
        _ => text.to_owned(),
    }
}

#[test]
fn shown_is_compared_line_by_line() {
    for (shown, text, expect) in [
        ("a\n", "a\n", true),
        ("a\n", "b\n", false),
        ("a\n", "a\nb\n", false),
        ("a\n...\n", "a\nb\nc\n", true),
        ("...\nc\n", "a\nb\nc\n", true),
        ("a\n...\nc\n", "a\nb\nc\n", true),
        ("a\n...\nb\n...\nd\n", "a\nb\nc\nd\n", true),
        ("a\n...\nb\n", "a\nb\nc\n", false),
        ("a…\nb\n", "abc\nb\n", true),
        ("a…\nb\n", "bc\nb\n", false),
        ("a…\n", "abc\nb\n", false),
    ] {
        assert_eq!(matches(shown, text), expect, "{shown:?} {text:?}");
    }
}
