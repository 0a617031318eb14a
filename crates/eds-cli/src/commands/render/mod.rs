//! `eds render`: what a claim or a composite becomes, without a cluster.
//!
//! ```text
//! pieces     the files' documents, a few at a time, on all cores
//! given      XRDs, Compositions and Functions, and which of them a claim is rendered with
//! functions  built in, running elsewhere, or left out
//! context    what the functions' context holds at first
//! observed   which of what exists is a composite's
//! shown      what is printed of a rendering
//! ```

mod context;
mod functions;
mod given;
mod observed;
mod pieces;
mod shown;

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use eds_claims::{self as claims, CheckedFile};
use eds_core::composition::{Error, Rendered, render_with};
use eds_core::event_driven_service::repeats_rules_for;
use kube_object::object::{Fields, group};
use kube_object::printable::printable;
use kube_schema::diagnostics::{self, FileFindings, Finding};
use kube_schema::schema::ClaimApi;
use kube_schema::yaml;
use patch_and_transform::protocol::{Object, Severity};
use serde_json::Value;

use crate::api::Xrd;
use crate::claim::Claim;
use crate::form::FormArgs;
use crate::inputs::{self, Source};
use crate::{Outcome, output};
use functions::Functions;
use given::{Given, Root};
use pieces::Piece;
use shown::Output;

/// Show what claims become: the four manifests, as Crossplane would apply them.
///
/// Needs no cluster, Docker, Crossplane or network. Files may hold many documents; objects of other
/// kinds are skipped and counted. The same input always gives the same output, byte for byte.
///
/// Also renders any other Composition with its claims or composites, as `crossplane composition
/// render` does, which takes the same files in the same order: XR COMPOSITION FUNCTIONS. An XRD
/// brings defaults, and is needed for claims. XRDs, Compositions and Functions may also stand in
/// these files; what is rendered chooses among them. Such objects are not validated: that is `eds
/// validate --xrd`.
///
/// Of that command's options, `-o` is `--observed-resources` here (`-o` chooses the output),
/// `--timeout` and `--verbose` have no effect, and there are no `--required-schemas`,
/// `--function-annotations` and `--crossplane-*`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files with claims or composites; `-` is standard input, which is also the default. A
    /// directory means all YAML files in it.
    #[arg(value_name = "CLAIM")]
    claims: Vec<PathBuf>,
    /// What to print: by default `manifests` or, with a Composition among the files, `crossplane`.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    /// Compositions to use instead of the built-in one. May be repeated.
    #[arg(long, value_name = "FILE")]
    composition: Vec<PathBuf>,
    /// XRDs to use instead of the built-in one. May be repeated.
    #[arg(long, value_name = "FILE")]
    xrd: Vec<PathBuf>,
    #[command(flatten)]
    form: FormArgs,
    /// Existing composed resources, as `kubectl get -o yaml` prints them. May be repeated; a
    /// directory means all YAML files in it. A claim takes the name and UID of the composite that
    /// controls them. Of several claims or composites each is given what it controls and, if
    /// namespaced, what nobody controls in its namespace.
    #[arg(long, visible_alias = "observed-resources", value_name = "FILE")]
    observed: Vec<PathBuf>,
    /// Other resources that a function may ask for, such as the service's pods. May be repeated; a
    /// directory means all YAML files in it.
    #[arg(short = 'e', long, visible_alias = "extra-resources", value_name = "FILE")]
    required_resources: Vec<PathBuf>,
    /// Functions: their packages tell which of them are built in, their annotations where others
    /// run (render.crossplane.io/runtime-development-target).
    #[arg(long, value_name = "FILE")]
    functions: Vec<PathBuf>,
    /// Where a function runs, without TLS: its name in the Composition, and HOST:PORT.
    #[arg(long, value_name = "NAME=ADDRESS")]
    function: Vec<String>,
    /// Leave out the steps that call this function.
    #[arg(long, value_name = "NAME")]
    skip_function: Vec<String>,
    /// Secrets with the credentials that steps name.
    #[arg(long, value_name = "FILE")]
    function_credentials: Vec<PathBuf>,
    /// What the functions' context holds at first: JSON or YAML. Comes before --context-files. A
    /// semicolon separates pairs, unless written `\;`. May be repeated.
    #[arg(long, value_name = "KEY=VALUE;...")]
    context_values: Vec<String>,
    /// The same, from files.
    #[arg(long, value_name = "KEY=FILE;...")]
    context_files: Vec<String>,
    /// Print the whole composite first, with what it had before.
    #[arg(short = 'x', long)]
    include_full_xr: bool,
    /// Print what functions and Crossplane say last, as resources of kind Result.
    #[arg(short = 'r', long)]
    include_function_results: bool,
    /// Print the functions' context last, as a resource of kind Context.
    #[arg(short = 'c', long)]
    include_context: bool,
    /// Namespace of claims that do not name one.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Accepted for `crossplane composition render`'s sake, without effect: nothing here waits for
    /// longer than a minute for a function.
    #[arg(long, value_name = "DURATION", hide = true)]
    timeout: Option<String>,
    /// Accepted for `crossplane composition render`'s sake, without effect.
    #[arg(long, hide = true)]
    verbose: bool,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let sources = sources(&args.claims)?;
    let job = Job::load(args, &sources)?;
    let pieces: Vec<Piece<'_>> = sources.iter().flat_map(pieces::of).collect();
    let mut printed = Printed::default();
    pieces::in_order(&pieces, |piece| job.piece(piece), |done| printed.add(done?))?;
    printed.finish(&job)
}

/// One run of the command.
struct Job<'a> {
    args: &'a Args,
    output: Output,
    given: Given,
    functions: Functions,
    observed: Vec<Object>,
    required: Vec<Object>,
    credentials: Vec<Object>,
    context: Object,
    /// The built-in XRD, if no other is given.
    own: Option<Own>,
    /// Whether there is more than one to render, so that not all that exists is of each.
    many: bool,
    /// XRDs, Compositions and Functions among the claims: they are no claims, but not skipped.
    taken: usize,
}

struct Own {
    api: ClaimApi,
    xrd: Xrd,
}

/// What became of a piece of a file.
#[derive(Default)]
struct Done {
    /// The documents, as YAML.
    text: String,
    /// What is said on standard error.
    notes: Vec<String>,
    findings: Option<FileFindings>,
    /// Which steps were left out.
    left_out: Vec<String>,
    /// Whether something could not be rendered as a whole.
    incomplete: bool,
    found: usize,
    skipped: usize,
}

impl<'a> Job<'a> {
    fn load(args: &'a Args, sources: &[Source]) -> Result<Self> {
        let mut given = Given::load(&args.xrd, &args.composition, &args.functions)?;
        let mut taken = 0;
        for source in sources {
            taken += given.take(source)?;
        }
        given.finish(args.form.form())?;
        let functions = Functions::new(&args.function, &args.skip_function, given.functions())?;
        for name in given.uncalled(functions.named()) {
            output::note(&format!("no step of a Composition calls function {name}"));
        }
        let own = if given.is_built_in() {
            let xrd = Xrd::load(None, args.form.form())?;
            Some(Own { api: xrd.claims()?, xrd })
        } else {
            None
        };
        let default = match !args.composition.is_empty() || given.is_all_built_in() {
            true => Output::Manifests,
            false => Output::Crossplane,
        };
        Ok(Self {
            args,
            output: args.output.unwrap_or(default),
            given,
            functions,
            observed: inputs::many(&args.observed)?,
            required: inputs::many(&args.required_resources)?,
            credentials: inputs::many(&args.function_credentials)?,
            context: context::read(&args.context_files, &args.context_values)?,
            own,
            many: !args.observed.is_empty() && sources.iter().map(roots).sum::<usize>() > 1,
            taken,
        })
    }

    /// Renders what is in a piece of a file.
    fn piece(&self, piece: &Piece<'_>) -> Result<Done> {
        let mut done = Done::default();
        if !self.given.is_all_built_in() {
            let others = self.foreign(piece, &mut done)?;
            if self.own.is_none() || done.found > 0 {
                done.skipped += others;
                return Ok(done);
            }
        }
        match self.composites(piece, &mut done)? {
            Some(rest) => self.claims(&Piece { text: &rest, ..*piece }, &mut done)?,
            None => self.claims(piece, &mut done)?,
        }
        Ok(done)
    }

    /// Renders composites of the built-in API's claims. Returns the piece without their lines, if
    /// there are any.
    fn composites(&self, piece: &Piece<'_>, done: &mut Done) -> Result<Option<String>> {
        let Some(own) = &self.own else { return Ok(None) };
        let outline = own.xrd.outline();
        let composite = outline.text("/spec/names/kind");
        if outline.text("/spec/claimNames/kind").is_empty() || !piece.text.contains(composite) {
            return Ok(None);
        }
        let mut lines: Vec<&str> = piece.text.split_inclusive('\n').collect();
        let mut found = false;
        for node in &yaml::parse(piece.text).documents {
            let Value::Object(object) = node.to_json() else { continue };
            let group = group(object.text("/apiVersion"));
            let is_its = object.text("/kind") == composite && group == outline.text("/spec/group");
            // Without a claim it is one that was given the wrong kind.
            if !is_its || object.at("/spec/claimRef").is_none() {
                continue;
            }
            found = true;
            done.found += 1;
            let name = format!("{}: {composite} {}", piece.name(), object.name());
            let root = self.given.of_composite(&object, own.xrd.value());
            let result = root.and_then(|root| self.render(root, done));
            self.add(&name, result, true, done)?;
            let (start, end) = (node.span.start.line, node.span.end.line);
            for line in lines.iter_mut().take(end).skip(start.saturating_sub(1)) {
                if !line.starts_with("---") {
                    *line = "\n";
                }
            }
        }
        Ok(found.then(|| lines.concat()))
    }

    /// Renders objects of APIs that are not built in. Returns how many others there are.
    fn foreign(&self, piece: &Piece<'_>, done: &mut Done) -> Result<usize> {
        let mut others = 0;
        for object in piece.objects()? {
            let name = format!("{}: {} {}", piece.name(), object.text("/kind"), object.name());
            let result = match self.given.root(&object, &self.args.namespace) {
                Ok(None) => {
                    others += 1;
                    continue;
                }
                Ok(Some(root)) => self.render(root, done),
                Err(error) => Err(error),
            };
            done.found += 1;
            self.add(&name, result, false, done)?;
        }
        Ok(others)
    }

    /// Renders the claims of the built-in API, if the API server takes them.
    fn claims(&self, piece: &Piece<'_>, done: &mut Done) -> Result<()> {
        let Some(own) = &self.own else { return Ok(()) };
        let is_built_in = self.given.is_all_built_in();
        let mut render = |text: &str, without_rules| {
            let options = claims::Options { without_rules, ..claims::Options::default() };
            let checked = claims::check(text, &own.api, options);
            let claims = checked.claims.iter().filter_map(|(checked, _)| checked.claim());
            let results: Vec<Result<Rendered>> = claims
                .map(|claim| {
                    let claim = Claim::valid(claim).or_in_namespace(&self.args.namespace);
                    let name = format!("{} {}", claim.text("/kind"), claim.text("/metadata/name"));
                    let root = self.given.of_valid(claim.into_object(), own.xrd.outline());
                    self.render(root.context(name)?, done)
                })
                .collect();
            (checked, results)
        };
        let (mut checked, mut results) = render(piece.text, is_built_in);
        let again = match is_built_in {
            true => !is_plainly_fine(&own.api, &checked, &results),
            false => checked.findings.iter().any(is_error),
        };
        if again {
            (checked, results) = render(&piece.in_its_place(), false);
        }
        done.found += checked.claims.len();
        done.skipped += checked.skipped;
        for result in results {
            self.add(piece.name(), result, true, done)?;
        }
        // Warnings belong to `eds validate`; here they would hide what did not render.
        let mut errors = checked.findings;
        errors.retain(is_error);
        if !errors.is_empty() {
            done.incomplete = true;
            let Source { name, text } = piece.source;
            done.findings = Some(FileFindings::new(name.clone(), text.clone(), errors));
        }
        Ok(())
    }

    fn render(&self, root: Root<'_>, done: &mut Done) -> Result<Rendered> {
        let Root { composition, mut inputs, is_written } = root;
        self.functions.check(composition).context(Unable)?;
        for said in self.functions.left_out(composition) {
            if !done.left_out.contains(&said) {
                done.left_out.push(said);
            }
        }
        if is_written {
            observed::adopt(&mut inputs.composite, &self.observed);
        }
        inputs.observed = match self.many {
            true => observed::of(&inputs.composite, &self.observed),
            false => self.observed.clone(),
        };
        inputs.required.clone_from(&self.required);
        inputs.credentials.clone_from(&self.credentials);
        inputs.context.clone_from(&self.context);
        let rendered = render_with(composition, &inputs, &self.functions);
        let rendered = rendered.map_err(|error| match error {
            Error::NoAnswer { .. } => anyhow!(error).context(Unable),
            other => anyhow!(other),
        })?;
        Ok(rendered)
    }

    /// Takes what a claim became, or why it did not. `is_own` tells the built-in API, where a
    /// warning means that something was left out which belongs there.
    fn add(
        &self,
        name: &str,
        result: Result<Rendered>,
        is_own: bool,
        done: &mut Done,
    ) -> Result<()> {
        let rendered = match result {
            Ok(rendered) => rendered,
            Err(error) if error.is::<Unable>() => return Err(error),
            Err(error) => {
                done.incomplete = true;
                done.notes.push(format!("{name}: {error:#}"));
                return Ok(());
            }
        };
        for step in &rendered.results {
            let severity = match step.result.severity {
                Severity::Fatal => "fatal",
                Severity::Warning => "warning",
                Severity::Normal => "note",
            };
            done.incomplete |= is_own && step.result.severity != Severity::Normal;
            done.notes.push(format!("{severity}: step {:?}: {}", step.step, step.result.message));
        }
        for document in shown::documents(&rendered, self.output, self.args) {
            output::yaml(&mut done.text, &document)?;
        }
        Ok(())
    }
}

/// What has been printed so far.
#[derive(Default)]
struct Printed {
    incomplete: bool,
    found: usize,
    skipped: usize,
    left_out: Vec<String>,
}

impl Printed {
    /// Prints what became of a piece.
    fn add(&mut self, done: Done) -> Result<()> {
        self.found += done.found;
        self.skipped += done.skipped;
        self.incomplete |= done.incomplete;
        let mut text = String::new();
        for said in done.left_out {
            if !self.left_out.contains(&said) {
                output::note(&said);
                text.push_str(&format!("# {}\n", printable(&said)));
                self.left_out.push(said);
            }
        }
        done.notes.iter().for_each(|note| output::note(note));
        done.findings.iter().for_each(output::findings);
        text.push_str(&done.text);
        output::text(&text)
    }

    fn finish(self, job: &Job<'_>) -> Result<Outcome> {
        let skipped = self.skipped.saturating_sub(job.taken);
        let own = job.own.as_ref().filter(|_| job.given.is_all_built_in());
        let what = own.map_or_else(|| job.given.kinds(), |own| own.api.definition.kind.clone());
        if skipped > 0 {
            output::note(&format!("skipped {skipped} objects that are no {what}"));
        }
        if self.incomplete {
            return Ok(Outcome::Findings);
        }
        if self.found == 0 {
            let version = own.map(|own| format!(" ({})", own.api.api_version()));
            bail!("found no {what}{} to render", version.unwrap_or_default());
        }
        Ok(Outcome::Fine)
    }
}

/// A failure of the tool: nothing more is printed, and the exit code is 2.
#[derive(Debug)]
struct Unable;

impl std::fmt::Display for Unable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot render")
    }
}

/// Returns how many objects of a file may be claims or composites.
fn roots(source: &Source) -> usize {
    let others =
        ["Composition", "CompositeResourceDefinition", "CustomResourceDefinition", "Function"];
    let is_root = |object: &&Object| !others.contains(&object.text("/kind"));
    source.objects().map_or(0, |objects| objects.iter().filter(is_root).count())
}

fn is_error(finding: &Finding) -> bool {
    finding.severity == diagnostics::Severity::Error
}

/// Returns whether the API's rules, which take longer to compile than everything else, can be
/// skipped: for the fields that every claim has, the built-in Composition's second step refuses
/// whatever they refuse, except which NATS a claim may name. If something is wrong they run,
/// because they know the line.
fn is_plainly_fine(api: &ClaimApi, checked: &CheckedFile, results: &[Result<Rendered>]) -> bool {
    let names_server = |claim: &Value| {
        ["url", "monitoringEndpoint"].iter().any(|field| {
            let default = api.default(&format!("spec.nats.{field}"));
            claim.at(&format!("/spec/nats/{field}")) != default
        })
    };
    !checked.findings.iter().any(is_error)
        && results.iter().all(Result::is_ok)
        && !checked.claims.iter().any(|(claim, _)| names_server(&claim.effective))
        && checked.claims.iter().all(|(claim, _)| repeats_rules_for(&claim.effective))
}

fn sources(paths: &[PathBuf]) -> Result<Vec<Source>> {
    if paths.is_empty() {
        if std::io::stdin().is_terminal() {
            bail!("name a file with a claim, or give one on standard input");
        }
        return Ok(vec![Source::read("-".as_ref())?]);
    }
    inputs::files(paths)?.iter().map(|path| Source::read(path)).collect()
}
