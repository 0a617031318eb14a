//! `eds explain`: what a finding means, or what a field of the claim is.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use eds_claims::rules;
use kube_schema::diagnostics::{Rule, Severity};
use kube_schema::schema::{nearest, publish};

use crate::Outcome;
use crate::api::{Xrd, policies};
use crate::form::FormArgs;

/// Explain a finding by its code, or a field of the claim by its path.
///
/// `eds explain EDS104` says what the finding means and why it matters, and shows an example of
/// each side; `eds explain spec.nats.account` says what the field is, its type, default and bounds,
/// and the fields in it (like kubectl explain, without a cluster). Without an argument, lists all
/// codes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A code such as EDS104, its name such as enum, or a path such as spec.nats.
    #[arg(value_name = "CODE|PATH")]
    what: Option<String>,
    /// XRD or CRD to read fields from, instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    xrd: Option<PathBuf>,
    #[command(flatten)]
    form: FormArgs,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let text = match &args.what {
        None => codes(),
        Some(what) if is_code(what) => about(by_code(what)?),
        // If a finding has the same name as a field, the field is meant.
        Some(what) => match (field(args, what), by_name(what)) {
            (Err(_), Some(rule)) => about(rule),
            (field, _) => field?,
        },
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Outcome::Fine)
}

fn by_name(what: &str) -> Option<&'static Rule> {
    rules::all().into_iter().find(|rule| rule.name == what)
}

fn is_code(what: &str) -> bool {
    what.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("eds"))
        && what.chars().skip(3).all(|c| c.is_ascii_digit())
        && what.len() > 3
}

fn by_code(what: &str) -> Result<&'static Rule> {
    let rules = || rules::all().into_iter();
    rules().find(|rule| rule.code.eq_ignore_ascii_case(what)).ok_or_else(|| {
        let near = nearest(what, rules().map(|rule| rule.code));
        let near = near.map(|code| format!("; did you mean {code}?")).unwrap_or_default();
        anyhow!("there is no finding {what}{near} (eds explain lists them all)")
    })
}

const fn severity(rule: &Rule) -> &'static str {
    match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn codes() -> String {
    let mut text = String::new();
    for rule in rules::all() {
        let _ = writeln!(text, "{}  {:7}  {}", rule.code, severity(rule), rule.what);
    }
    text
}

fn about(rule: &Rule) -> String {
    let indented =
        |yaml: &str| yaml.lines().fold(String::new(), |text, line| text + "  " + line + "\n");
    format!(
        "{} {} ({})\n\n{}\n{}\n\nfound\n{}\nnot found\n{}",
        rule.code,
        rule.name,
        severity(rule),
        rule.what,
        rule.why,
        indented(rule.bad),
        indented(rule.good),
    )
}

fn field(args: &Args, path: &str) -> Result<String> {
    let xrd = Xrd::load(args.xrd.as_deref(), args.form.form())?;
    let definition = xrd.definition(xrd.written(), None)?;
    // As in kubectl explain: with the kind, or the name of its resource.
    let path = path.trim_start_matches('.');
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let is_kind = [definition.kind.as_str(), definition.plural.as_str(), "eds"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(first));
    let path = if is_kind { rest } else { path };
    // A field that only the other form has is no slip of the pen.
    let other = args.form.form().other();
    let is_of_other = || -> Result<bool> {
        let definition =
            Xrd::load(None, other).and_then(|xrd| xrd.definition(xrd.written(), None))?;
        Ok(publish::explain(&definition, &policies(), path).is_ok())
    };
    publish::explain(&definition, &policies(), path).map_err(|missing| {
        if args.xrd.is_none() && is_of_other().unwrap_or_default() {
            return anyhow!(
                "{path} is a field of the form {name} alone: eds explain --form {name} {path}",
                name = other.name()
            );
        }
        let publish::NoSuchField { at, name, nearest, fields } = missing;
        let at = if at.is_empty() { definition.kind.clone() } else { at };
        match (nearest, fields.is_empty()) {
            (Some(nearest), _) => anyhow!("{at} has no field {name}; did you mean {nearest}?"),
            (None, true) => anyhow!("{at} has no fields"),
            (None, false) => anyhow!("{at} has no field {name}; it has {}", fields.join(", ")),
        }
    })
}
