//! What is in a Markdown page: code blocks, links, headings.

/// A code block.
pub(crate) struct Block {
    /// The line of its first fence, from 1.
    pub(crate) line: usize,
    /// What follows the fence: `yaml`, `console`.
    pub(crate) info: String,
    /// What a comment on the line above says: `<!-- file: examples/minimal-claim.yaml -->`.
    pub(crate) mark: Option<(String, String)>,
    pub(crate) text: String,
}

pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

#[derive(Default)]
pub(crate) struct Page {
    pub(crate) blocks: Vec<Block>,
    pub(crate) links: Vec<Link>,
    pub(crate) anchors: Vec<String>,
    /// Inline code, with its line.
    pub(crate) codes: Vec<(usize, String)>,
}

impl Page {
    pub(crate) fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut mark = None;
        let mut lines = text.lines().enumerate();
        while let Some((i, line)) = lines.next() {
            let trimmed = line.trim_start();
            if let Some(info) = trimmed.strip_prefix("```") {
                let indent = line.len() - trimmed.len();
                let mut text = String::new();
                for (_, line) in lines.by_ref() {
                    if line.trim() == "```" {
                        break;
                    }
                    text.push_str(line.get(indent..).unwrap_or_default());
                    text.push('\n');
                }
                let info = info.trim().to_owned();
                page.blocks.push(Block { line: i + 1, info, mark: mark.take(), text });
                continue;
            }
            mark = marked(trimmed);
            if let Some(title) = trimmed.strip_prefix('#') {
                page.heading(title.trim_start_matches('#').trim());
            }
            page.links(line, i + 1);
        }
        page
    }

    /// Adds the anchor that GitHub gives a heading.
    fn heading(&mut self, title: &str) {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let slug: String = title.to_lowercase().chars().filter(kept).collect();
        let slug = slug.replace(' ', "-");
        let again = self.anchors.iter().filter(|a| **a == slug).count();
        self.anchors.push(if again == 0 { slug } else { format!("{slug}-{again}") });
    }

    /// Collects links and pictures outside inline code.
    fn links(&mut self, line: &str, number: usize) {
        // Every second part is between backticks. Link text may contain code.
        let codes = line.split('`').enumerate().filter(|(i, _)| i % 2 == 1);
        self.codes.extend(codes.map(|(_, code)| (number, code.to_owned())));
        let prose: Vec<&str> =
            line.split('`').enumerate().map(|(i, p)| if i % 2 == 0 { p } else { "" }).collect();
        let prose = prose.concat();
        for (start, end) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            for part in prose.split(start).skip(1) {
                let target = part.split(end).next().unwrap_or_default().to_owned();
                self.links.push(Link { line: number, target });
            }
        }
    }
}

/// Parses `<!-- KEY: VALUE -->`.
fn marked(line: &str) -> Option<(String, String)> {
    let (key, value) = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?.split_once(": ")?;
    Some((key.to_owned(), value.to_owned()))
}

/// Returns the commands of a `console` block, each with the output shown below it.
pub(crate) fn commands(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        if let (true, Some((command, _))) = (continues, all.last_mut()) {
            command.push('\n');
            command.push_str(line);
            continues = line.ends_with('\\');
        } else if let Some(command) = line.strip_prefix("$ ") {
            continues = command.ends_with('\\');
            all.push((command.to_owned(), String::new()));
        } else if let Some((_, output)) = all.last_mut() {
            output.push_str(line);
            output.push('\n');
        }
    }
    all
}

/// Returns whether `text` is what is shown; a line `...` stands for any lines, and `…` at a line's
/// end for the rest of it.
pub(crate) fn matches(shown: &str, text: &str) -> bool {
    let cut: Vec<Option<&str>> = shown.lines().map(|line| line.strip_suffix('…')).collect();
    if cut.iter().any(Option::is_some) {
        let (lines, texts) = (shown.lines().count(), text.lines().count());
        let is_same_line = |((cut, shown), text): ((&Option<&str>, &str), &str)| {
            cut.map_or(shown == text, |begin| text.starts_with(begin))
        };
        return lines == texts && cut.iter().zip(shown.lines()).zip(text.lines()).all(is_same_line);
    }
    let mut parts = shown.split("...\n");
    let Some(first) = parts.next() else { return text.is_empty() };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (i, part) in parts.iter().enumerate() {
        if i + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.is_empty()
}
