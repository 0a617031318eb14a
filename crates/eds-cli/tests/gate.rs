//! What is read, what is skipped, and what is printed: trees as people and strangers make them.

#![cfg(test)]

mod scratch;

use std::fs;
use std::io::Write;
use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Stdio};

use scratch::Repository;
use serde_json::Value;

const CLAIM: &str = include_str!("../../../platform/04-apis/examples/minimal-claim.yaml");

/// A folder with files of all kinds, a repository once it is started.
struct Tree(Repository);

impl Deref for Tree {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.0
    }
}

impl Tree {
    fn new(name: &str) -> Self {
        Self(Repository::new(name))
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        self.0.write(path, text);
        self
    }

    fn link(&self, path: &str, target: &str) -> &Self {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, self.path(path)).unwrap();
        self
    }

    fn start(&self) -> String {
        self.init();
        self.commit()
    }

    /// Returns exit status, standard output and standard error.
    fn eds(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut eds = Command::new("timeout");
        eds.args(["60", env!("CARGO_BIN_EXE_eds"), "validate"]).args(args);
        eds.current_dir(self.path("")).env("EDS_TEST_SECRET", "hunter2-of-the-environment");
        eds.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = eds.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(CLAIM.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Runs, and expects an exit status and words.
    #[track_caller]
    fn check(&self, args: &[&str], status: i32, words: &[&str]) -> String {
        let (code, out, said) = self.eds(args);
        let all = out + &said;
        assert_eq!(code, Some(status), "{args:?}: {all}");
        for word in words {
            match word.strip_prefix('!') {
                Some(word) => assert!(!all.contains(word), "{args:?} says {word:?}: {all}"),
                None => assert!(all.contains(word), "{args:?} does not say {word:?}: {all}"),
            }
        }
        all
    }
}

#[test]
fn an_ordinary_repository() {
    let tree = Tree::new("ordinary");
    tree.write("k8s/claim.yaml", CLAIM)
        .write("k8s/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
        .write("k8s/kustomization.yaml", "resources: [claim.yaml]\n")
        .write("k8s/patch.json", r#"[{"op": "remove", "path": "/spec/size"}]"#)
        .write("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n")
        .write("chart/values.yaml", "image: {tag: \"1\"}\nnats: {stream: S, consumer: c}\n")
        .write("chart/templates/deploy.yaml", "{{- if .Values.x }}\nkind: Deployment\n{{- end }}\n")
        .write("chart/templates/list.yaml", "{{ range .Values.all }}\n- {{ . }}\n{{ end }}\n")
        .write("docker-compose.yml", "services:\n  nats: {image: nats:2}\n")
        .write("package.json", "{\"name\": \"app\"}")
        .write("package-lock.json", format!("{{\"a\": \"{}\"}}", "x".repeat(5 << 20)))
        .write("tsconfig.json", "{\n  // comment\n  \"a\": {}\n}\n")
        .write("openapi.yaml", "openapi: 3.0.0\n")
        .write("cloud.yaml", "Resources: {a: !Ref b, a: !Sub c}\n")
        .write("data/utf16.json", b"\xff\xfe{\0}\0")
        .write("data/empty.yaml", "")
        .write("node_modules/x/claim.yaml", CLAIM.replace("hello-worker:1.0.0", "Hello"))
        .write(".hidden/claim.yaml", CLAIM.replace("hello-worker:1.0.0", "Hello"))
        .write(".gitignore", "dist/\n*.gen.yaml\n")
        .write("dist/claim.yaml", CLAIM.replace("hello-worker:1.0.0", "Hello"))
        .write("k8s/claim.gen.yaml", CLAIM.replace("hello-worker:1.0.0", "Hello"));
    tree.check(
        &["."],
        0,
        &["1 claim,", "1 other object skipped", "without a Kubernetes object skipped", "0 errors"],
    );
    tree.check(&["k8s"], 0, &["1 claim"]);
    tree.check(
        &[
            "**/*.yaml",
            "--exclude=*.gen.yaml",
            "--exclude=dist",
            "--exclude=node_modules",
            "--exclude=.hidden",
        ],
        0,
        &["1 claim"],
    );
    tree.check(
        &["k8s/claim.yaml", "k8s/kustomization.yaml", "docker-compose.yml"],
        0,
        &["1 claim"],
    );
    // A file named alone is meant to hold a claim.
    tree.check(&["docker-compose.yml"], 1, &["EDS010"]);
    tree.check(&["chart/values.yaml", "--strict"], 1, &["EDS010"]);
    // A Helm template that holds a claim is a claim that cannot be read.
    tree.write(
        "chart/templates/claim.yaml",
        format!("{{{{- if .Values.x }}}}\n{CLAIM}{{{{- end }}}}\n"),
    );
    tree.check(&["."], 1, &["chart/templates/claim.yaml", "EDS001"]);
    tree.check(&[".", "--exclude", "chart/templates/"], 0, &["1 claim"]);
    tree.check(&[".", "--exclude", "*.yaml"], 2, &["found no EventDrivenService"]);
}

/// A near miss of our apiVersion and kind is an error, in a directory too.
#[test]
fn near_misses() {
    let own = ("platform.bizmatters.io/v1alpha1", "EventDrivenService");
    let wrong = [
        ("platform.bizmatters.io", own.1),
        ("v1alpha1", own.1),
        ("v1", own.1),
        ("apps/v1", own.1),
        ("platform.bizmatter.io/v1alpha1", own.1),
        ("Platform.BizMatters.io/v1alpha1", own.1),
        ("platform.bizmatters.com/v1alpha1", own.1),
        ("bizmatters.io/v1alpha1", own.1),
        ("platform.bizmatters.io/v1", own.1),
        ("platform.bizmatters.io/V1Alpha1", own.1),
        ("v1alpha1/platform.bizmatters.io", own.1),
        ("platform.bizmatters.io/v1alpha1/", own.1),
        (own.0, "EDS"),
        (own.0, "eds"),
        (own.0, "eventdrivenservice"),
        (own.0, "EventDrivenServices"),
        (own.0, "eventdrivenservices"),
        (own.0, "Event-Driven-Service"),
        (own.0, "EventDrivenServcie"),
        (own.0, "EventDrivenWorker"),
        (own.0, "XEventDrivenService"),
        (own.0, "Deployment"),
        ("platform.bizmatters.io/v1beta1", "XEventDrivenService"),
        ("platform.bizmatter.io/v1", "EventDrivenServices"),
        ("", own.1),
        (own.0, ""),
        ("acme.example.com/v1", own.1),
    ];
    let body = CLAIM.split_once("metadata:").map(|(_, rest)| format!("metadata:{rest}")).unwrap();
    let tree = Tree::new("near");
    tree.write("d/other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
    let line_of = |key: &str, value: &str| match value {
        "" => String::new(),
        value => format!("{key}: {value}\n"),
    };
    for (version, kind) in wrong {
        let claim = format!("{}{}{body}", line_of("apiVersion", version), line_of("kind", kind));
        tree.write("d/claim.yaml", claim);
        let said = tree.check(&["d"], 1, &[]);
        assert!(said.contains("EDS011") || said.contains("EDS010"), "{version} {kind}: {said}");
    }
    // Keys must match to the letter, and a list is split as kubectl does it.
    for (text, words) in [
        (CLAIM.replace("apiVersion:", "apiversion:"), "write apiVersion"),
        (CLAIM.replace("kind:", "Kind:"), "write kind"),
        (
            format!("{{\"apiVersion\": \"{}\", \"kind\": \"{}\", \"spec\": {{}} ", own.0, own.1),
            "EDS00",
        ),
        (
            format!(
                "apiVersion: {}\nkind: EventDrivenServiceList\nitems:\n- spec: {{size: huge}}\n",
                own.0
            ),
            "EDS104",
        ),
        (
            format!(
                "apiVersion: v1\nkind: Bundle\nitems:\n- {{apiVersion: {}, kind: {}, spec: {{size: \
                    huge}}}}\n",
                own.0, own.1
            ),
            "EDS104",
        ),
        (
            CLAIM
                .replace("EventDrivenService", "\"EventDriven\\x53ervice\"")
                .replace("image:", "imag:"),
            "EDS103",
        ),
    ] {
        tree.write("d/claim.yaml", text);
        tree.check(&["d"], 1, &[words]);
    }
    // What only resembles it belongs to somebody else.
    for other in [
        "apiVersion: sources.knative.dev/v1\nkind: EventType\nmetadata: {name: x}\n",
        "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: x}\n",
        "apiVersion: platform.bizmatters.io/v1alpha1\nkind: PostgresInstance\nmetadata: {name: \
            x}\n",
        "apiVersion: acme.example.com/v1\nkind: EventDrivenService\nspec: {topic: x}\n",
        "apiVersion: apiextensions.crossplane.io/v1\nkind: CompositeResourceDefinition\nspec: \
            {claimNames: {kind: EventDrivenService}}\n",
        "a: b\nkind: of\n",
    ] {
        tree.write("d/claim.yaml", format!("{other}---\n{CLAIM}"));
        tree.check(&["d"], 0, &["1 claim"]);
    }
}

#[test]
fn compared_with_a_revision() {
    let tree = Tree::new("against");
    tree.write("a.txt", "x");
    tree.git(&["init", "--quiet", "--initial-branch=main", "."]);
    tree.write("claims/a.yaml", CLAIM);
    tree.check(&["--against", "HEAD", "claims"], 2, &["no commit yet"]);
    tree.check(&["--against", "main", "claims"], 2, &["git does not know the revision main"]);
    let second = CLAIM.replace("hello-worker", "second-worker");
    tree.write("claims/b.yaml", &second);
    let base = tree.commit();
    tree.check(
        &["--against", "nope", "claims"],
        2,
        &["does not know the revision nope", "git fetch"],
    );
    tree.check(&["--against", &base, "claims"], 0, &["!EDS3", "compared with"]);

    // Deleted: in the directory, by name, and in the check.
    fs::remove_file(tree.path("claims/b.yaml")).unwrap();
    for args in [
        &["--against", &base, "claims"][..],
        &["--against", &base, "claims/b.yaml"],
        &["--changed-since", &base],
        &["--against", &base, "claims/*.yaml"],
    ] {
        tree.check(args, 0, &["EDS305", "second-worker", "claims/b.yaml", "deleted", "1 warning"]);
    }
    // Moved: to a new file, to an existing one, with a change.
    tree.write("claims/c.yaml", &second);
    tree.check(
        &["--against", &base, "claims"],
        0,
        &["!EDS30", "moved from claims/b.yaml to claims/c.yaml"],
    );
    tree.write("claims/c.yaml", second.replace(":1.0.0", ":2.0.0"));
    tree.check(
        &["--against", &base, "claims"],
        0,
        &["!EDS305", "!EDS302", "EDS301", "claims/c.yaml:8"],
    );
    fs::remove_file(tree.path("claims/c.yaml")).unwrap();
    tree.write("claims/a.yaml", format!("{second}---\n{CLAIM}"));
    tree.check(
        &["--against", &base, "claims"],
        0,
        &["!EDS30", "moved from claims/b.yaml to claims/a.yaml"],
    );
    // Renamed in its file, and gone from an existing file.
    tree.write("claims/a.yaml", CLAIM.replace("name: hello-worker", "name: other"));
    tree.write("claims/b.yaml", "# none\n");
    tree.check(&["--against", &base, "claims"], 1, &["EDS302", "EDS305", "no longer in this file"]);

    tree.check(&["--against", &base, "-"], 0, &["standard input", "not compared"]);
    fs::write(tree.outside("outside.yaml"), CLAIM).unwrap();
    tree.check(&["--against", &base, "../outside.yaml"], 0, &["not in the repository"]);
    tree.write("claims/a.yaml", "a: b\n");
    tree.check(&["--against", &base, "claims/a.yaml", "a.txt"], 0, &["none of these files holds"]);

    // A shallow clone says how to get what it lacks.
    tree.commit();
    let clone = Tree::new("clone");
    let url = format!("file://{}", tree.path("").display());
    let to = clone.path("").display().to_string();
    tree.git(&["clone", "--quiet", "--depth=1", &url, &to]);
    clone.check(&["--against", &base, "claims"], 2, &["shallow", "--unshallow"]);
    clone.check(&["--changed-since", &base], 2, &["shallow", "--unshallow"]);
}

/// A changed file is checked whatever its name.
#[test]
fn every_changed_file() {
    let broken = CLAIM.replace("  nats:", "  size: huge\n  nats:");
    let hidden = broken.replace("EventDrivenService", "\"EventDriven\\x53ervice\"");
    let crd = "---\napiVersion: apiextensions.crossplane.io/v1\nkind: \
        CompositeResourceDefinition\nmetadata: {name: x}\n";
    let xrd_first = format!("kind: Composition\napiVersion: v1\n---\n{broken}");
    for (name, text) in [
        ("claims/a.yaml", broken.as_str()),
        ("claims/hidden.yaml", &hidden),
        ("claims/two.yaml", &format!("{broken}{crd}")),
        ("claims/first.yaml", &xrd_first),
        ("claims/A.YAML", &broken),
        ("claims/a.Yml", &broken),
        ("claims/a.json", &broken),
        ("claims/no-extension", &broken),
        ("claims/a.txt", &broken),
        ("claims/with space.yaml", &broken),
        ("claims/new\nline.yaml", &broken),
        ("--format.yaml", &broken),
        ("-", &broken),
        (":(exclude)x.yaml", &broken),
        ("*.yaml", &broken),
        (".hidden/a.yaml", &broken),
        ("node_modules/a.yaml", &broken),
        ("ignored/a.yaml", &broken),
    ] {
        let tree = Tree::new("changed");
        tree.write(".gitignore", "ignored/\n").write("README.md", "kind: EventDrivenService {{\n");
        let base = tree.start();
        tree.write(name, text)
            .write("README.md", "```yaml\nkind: EventDrivenService\n```\n- x: {\n");
        tree.commit();
        tree.check(&["--changed-since", &base], 1, &["EDS104", "1 error"]);
        tree.check(&["--changed-since", "HEAD"], 0, &["no claim changed"]);
    }
    // Not committed, on a laptop; and nothing that concerns claims.
    let tree = Tree::new("uncommitted");
    let base = tree.start();
    tree.write("claims/a.yaml", &broken);
    tree.check(&["--changed-since", &base], 1, &["EDS104"]);
    tree.write("claims/a.yaml", "a: 1\n").write("image.bin", b"\xff\0\xfe");
    tree.commit();
    tree.check(&["--changed-since", &base], 0, &["no claim changed"]);
}

/// What is in a tree leads nowhere else, and nothing in it stops the check.
#[test]
fn links_and_special_files() {
    let tree = Tree::new("links");
    let secret = "password: hunter2-of-a-file\n";
    fs::write(tree.outside("netrc"), secret).unwrap();
    fs::write(tree.outside("outside.yaml"), secret).unwrap();
    tree.write("claims/good.yaml", CLAIM).write("claims/real/one", "x");
    let base = tree.start();
    tree.link("claims/environment.yaml", "/proc/self/environ")
        .link("claims/netrc.yaml", "../../netrc")
        .link("claims/outside.yaml", "../../outside.yaml")
        .link("claims/absolute.yaml", tree.outside("netrc").to_str().unwrap())
        .link("claims/loop.yaml", "loop.yaml")
        .link("claims/zero.yaml", "/dev/zero")
        .link("claims/dangling.yaml", "nothing")
        .link("claims/above", "../..")
        .link("claims/self", ".");
    tree.commit();
    let fifo = Command::new("mkfifo").arg(tree.path("claims/fifo.yaml")).status().unwrap();
    assert!(fifo.success());
    let socket = std::os::unix::net::UnixListener::bind(tree.path("claims/socket.yaml")).unwrap();
    let nothing = ["!hunter2-of", "symbolic link", "was not followed"];
    for format in ["text", "json", "sarif", "github"] {
        tree.check(&["claims", "--format", format], 0, &nothing);
        tree.check(&["claims", "--against", &base, "--format", format], 0, &nothing);
        tree.check(&["claims/*.yaml", "--format", format], 0, &nothing);
        tree.check(&["--changed-since", &base, "--format", format], 1, &["!hunter2-of"]);
    }
    drop(socket);
    // A link that stays in the directory is a file like any other, except to the check, which sees
    // the file.
    tree.link("claims/also.yaml", "good.yaml");
    tree.check(&["claims"], 0, &["2 claims"]);
    // A folder that became a link.
    fs::remove_dir_all(tree.path("claims")).unwrap();
    fs::create_dir_all(tree.outside("other")).unwrap();
    fs::write(tree.outside("other/good.yaml"), secret).unwrap();
    tree.link("claims", "../other");
    tree.commit();
    let words =
        ["!hunter2-of", "EDS305", "EDS006", "claims/good.yaml", "stands in this file's place"];
    tree.check(&["--changed-since", &base], 1, &words);
    tree.check(&["--against", &base, "claims/good.yaml"], 1, &["!hunter2-of", "EDS305"]);
}

/// No terminal or build log obeys text from outside, in any format.
#[test]
fn nothing_is_printed_raw() {
    let evil =
        "\u{1b}[31m\u{9b}2J\u{202e}\u{2028}\r\n::error::forged\n##[error]forged %0A::warning::";
    let quoted = serde_json::to_string(evil).unwrap();
    let tree = Tree::new("printed");
    let head = "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\n";
    for (i, text) in [
        format!(
            "{head}metadata: {{name: {quoted}, namespace: {quoted}}}\nspec: {{size: {quoted}, \
                {quoted}: 1}}\n"
        ),
        format!(
            "apiVersion: platform.bizmatters.io/v1alpha1\nkind: {}\nspec: {{nats: {{stream: S, \
                consumer: c}}}}\n",
            serde_json::to_string(&format!("EventDrivenService{}", "\u{1b}")).unwrap()
        ),
        format!("{head}spec: {{image: \"x:1\u{202e}\u{9b}##[error]\"\n::error::y\n"),
    ]
    .into_iter()
    .enumerate()
    {
        tree.write(&format!("claims/{i}{}.yaml", evil.replace('/', "")), text);
    }
    let base = tree.start();
    fs::remove_dir_all(tree.path("claims")).unwrap();
    tree.write("claims/x\u{1b}\n::error::\u{202e}.yaml", CLAIM);
    let restore = |tree: &Tree| tree.git(&["checkout", &base, "--", "claims"]);
    restore(&tree);
    for args in [
        &["claims"][..],
        &["claims", "--against", "\u{1b}[31m\n::error::forged"],
        &[evil],
        &["--changed-since", &base],
        &["claims", "--xrd", evil],
    ] {
        for format in ["text", "json", "sarif", "github"] {
            let args: Vec<&str> = args.iter().copied().chain(["--format", format]).collect();
            let (_, out, said) = tree.eds(&args);
            for text in [&out, &said] {
                let bad = text.chars().find(|c| {
                    *c != '\n'
                        && (c.is_control()
                            || ('\u{202a}'..='\u{202e}').contains(c)
                            || *c == '\u{2028}')
                });
                assert_eq!(bad, None, "{args:?}: {text:?}");
                for line in text.lines() {
                    let line = line.trim_start();
                    assert!(!line.starts_with("::") || line.contains(" file="), "{args:?}: {line}");
                    assert!(
                        format == "json"
                            || format == "sarif"
                            || format == "github"
                            || !line.contains("##["),
                        "{args:?}: {line}"
                    );
                    assert!(!line.starts_with("##["), "{args:?}: {line}");
                }
            }
            if format == "json" && args[0] == "claims" && args.len() == 3 {
                let json: Value = serde_json::from_str(&out).unwrap();
                let file = json["findings"][0]["file"].as_str().unwrap();
                assert!(Path::new(&tree.path(file)).exists(), "a program finds the file: {file:?}");
            }
        }
    }
}

/// Hides every word of a claim's head behind escapes.
fn escaped(claim: &str) -> String {
    claim
        .replace("platform.bizmatters.io/v1alpha1", "\"platform.bi\\x7amatters.io/v1alpha1\"")
        .replace("EventDrivenService", "\"EventDriven\\x53ervice\"")
}

/// What our own limits keep us from reading may be a claim to kubectl: the check of what changed
/// says so, whatever its words, and reads on after it.
#[test]
fn what_cannot_be_read_is_no_pass() {
    let broken = CLAIM.replace("  nats:", "  size: huge\n  nats:");
    let hidden = escaped(&broken);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let deep = format!("{map}q: {}{}\n---\n", "[".repeat(201), "]".repeat(201));
    let deep_claim = format!("{hidden}  x: {}{}\n", "[".repeat(201), "]".repeat(201));
    let values = format!("{map}a: [{}]\n---\n", "1,".repeat(250_010));
    let aliases = format!(
        "{map}a: &a [\"{}\"]\nb: [{}]\n---\n",
        "x".repeat(30_000),
        vec!["*a"; 400].join(",")
    );
    let padded =
        |fill: &str, rest: &str| format!("{}\n{rest}", fill.repeat((4 << 20) / fill.len()));
    let json = "{\"apiVersion\":\"platform.bi\\u007amatters.io/v1alpha1\",\
        \"kind\":\"EventDriven\\u0053ervice\",\
        \"metadata\":{\"name\":\"x\",\"annotations\":{\"n\":\"?\"}},\
        \"spec\":{\"size\":\"huge\"}}";
    let bytes = |text: &str| -> Vec<u8> {
        text.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect()
    };
    let list = format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{}{json}]}}",
        " ".repeat(4 << 20)
    );
    for (name, text, words) in [
        ("deep.yaml", deep.clone() + &hidden, &["EDS003", "EDS104"][..]),
        ("deep.txt", deep + &hidden, &["EDS104"]),
        ("deep-claim.yaml", deep_claim.clone(), &["EDS003", "--exclude"]),
        ("deep-claim.txt", deep_claim, &["EDS003"]),
        ("values.yaml", values.clone() + &hidden, &["EDS003", "EDS104"]),
        ("values.txt", values + &hidden, &["EDS104"]),
        ("aliases.yaml", aliases.clone() + &hidden, &["EDS003", "EDS104"]),
        ("aliases", aliases + &hidden, &["EDS104"]),
        ("empty.yaml", "---\n".repeat(600_000) + &hidden, &["EDS104"]),
        ("empty.txt", "---\n".repeat(600_000) + &hidden, &["EDS104"]),
        ("large.yaml", padded("# x\n", &hidden), &["EDS003"]),
        ("large.txt", padded("# x\n", &hidden), &["EDS003"]),
        ("large", padded("\n", &hidden), &["EDS003"]),
        ("large-first", padded("x: y\n", &format!("---\n{hidden}")), &["EDS003"]),
        ("large-quote", format!("x: \"{}\"\n---\n{hidden}", "y\n".repeat(2 << 20)), &["EDS003"]),
        ("large.json", list, &["EDS003"]),
    ]
    .into_iter()
    .map(|(name, text, words)| (name, text.into_bytes(), words))
    .chain([
        ("bytes.json", bytes(json), &["EDS005"][..]),
        ("bytes.txt", bytes(json), &["EDS005"]),
        ("bytes.yaml", bytes("a: ?\n"), &["EDS005"]),
        ("after.txt", bytes(&format!("{hidden}---\n?\n")), &["EDS005"]),
    ]) {
        let tree = Tree::new("unread");
        tree.write("README.md", "x");
        let base = tree.start();
        tree.write(name, text);
        tree.commit();
        tree.check(&["--changed-since", &base], 1, words);
    }
    // What an ordinary repository changes.
    let tree = Tree::new("read");
    tree.write("README.md", "x");
    let base = tree.start();
    let lock = format!("{{\"name\": \"app\", \"a\": \"{}\"}}", "x".repeat(5 << 20));
    tree.write("package-lock.json", &lock)
        .write("min.json", format!("{{\"a\": [{}1]}}", "1,".repeat(300_000)))
        .write("lines.jsonl", "{\"a\": [1, 2, 3], \"b\": {\"c\": 1}}\n".repeat(80_000))
        .write("app.js.map", &lock)
        .write("image.png", [b"\x89PNG\r\n\x1a\n\0\0\0\xff".as_slice(), &[0xfe; 5 << 20]].concat())
        .write("small.png", b"\x89PNG\r\n\x1a\n\0\0\0\xff")
        .write("table.csv", "1,2,3,a b\n".repeat(600_000))
        .write("tsconfig.json", "{\n  // comment\n  \"a\": {}\n}\n")
        .write("templates/deploy.yaml", "{{- if .Values.x }}\nkind: Deployment\n{{- end }}\n")
        .write("templates/_helpers.tpl", "{{- define \"x\" -}}\n{{ .a }}: {{ .b }}\n{{- end }}\n")
        .write("src/main.rs", "fn main() {}\n")
        .write("latin.txt", b"caf\xe9: x\n")
        .write("README.md", "# x\n- y: {\n");
    tree.commit();
    tree.check(&["--changed-since", &base], 0, &["no claim changed", "0 errors", "0 warnings"]);
}

/// What a pull request brings is what HEAD has, not what an earlier step left in the work tree.
#[test]
fn what_head_has_is_checked() {
    let broken = CLAIM.replace("  nats:", "  size: huge\n  nats:");
    let tree = Tree::new("head");
    tree.write("claims/a.yaml", CLAIM);
    let base = tree.start();
    tree.write("claims/evil.yaml", &broken);
    tree.commit();
    let since = ["--changed-since", &base];
    // Missing, a folder in its place, a link in its folder's place, another text.
    fs::remove_file(tree.path("claims/evil.yaml")).unwrap();
    tree.check(&since, 1, &["claims/evil.yaml", "EDS104", "!EDS305"]);
    fs::create_dir(tree.path("claims/evil.yaml")).unwrap();
    tree.check(&since, 1, &["EDS104"]);
    fs::remove_dir(tree.path("claims/evil.yaml")).unwrap();
    tree.write("claims/evil.yaml", "# nothing\n");
    tree.check(&since, 1, &["EDS104"]);
    tree.write("claims/evil.yaml", CLAIM.replace("hello", "other"));
    tree.check(&since, 1, &["EDS104", "EDS006", "commit it"]);
    tree.write("claims/evil.yaml", broken.replace('\n', "\r\n"));
    tree.check(&since, 1, &["EDS104", "!EDS006", "1 error"]);
    fs::remove_dir_all(tree.path("claims")).unwrap();
    fs::create_dir(tree.outside("other")).unwrap();
    tree.link("claims", "../other");
    tree.check(&since, 1, &["EDS104"]);
    // What .gitattributes makes of it on its way to the work tree.
    fs::remove_file(tree.path("claims")).unwrap();
    tree.git(&["reset", "--quiet", "--hard", &base]);
    tree.write(".gitattributes", "*.yaml working-tree-encoding=UTF-7\n");
    tree.commit();
    let lines = broken.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    let blob = tree.outside("blob");
    fs::write(&blob, format!("# note\u{85}{}", lines.join("\u{85}"))).unwrap();
    let id = tree.git(&["hash-object", "-w", "--no-filters", blob.to_str().unwrap()]);
    tree.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{id},claims/ev.yaml")]);
    tree.git(&["commit", "--quiet", "--message", "x"]);
    tree.check(&since, 1, &["claims/ev.yaml", "EDS104"]);
}

/// A link or a submodule is not a file, and is never skipped silently.
#[test]
fn what_is_no_file_is_said() {
    let tree = Tree::new("no-file");
    tree.write("fixtures/evil.yaml", CLAIM.replace("  nats:", "  size: huge\n  nats:"));
    let base = tree.start();
    tree.link("claims/evil.yaml", "../fixtures/evil.yaml").link("folder", "fixtures");
    tree.commit();
    let id = tree.git(&["rev-parse", "HEAD"]);
    tree.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},vendor/sub")]);
    tree.git(&["commit", "--quiet", "--message", "a module"]);
    for format in ["text", "github", "json", "sarif"] {
        let args = ["--changed-since", &base, "--exclude", "/fixtures/", "--format", format];
        let (code, out, said) = tree.eds(&args);
        assert_eq!(code, Some(1), "{said}");
        for word in ["EDS006", "claims/evil.yaml", "fixtures/evil.yaml", "folder", "vendor/sub"] {
            assert!(out.contains(word), "{format}: no {word}: {out}");
        }
        assert!(said.contains("3 errors, 0 warnings"), "{said}");
    }
    tree.check(
        &[
            "--changed-since",
            &base,
            "--exclude",
            "/claims/",
            "--exclude",
            "/folder",
            "--exclude",
            "/vendor",
        ],
        0,
        &["0 warnings"],
    );
}

/// Nobody writes into a pipe found in a folder.
#[test]
fn what_never_ends_is_refused() {
    let tree = Tree::new("never");
    tree.write("claims/a.yaml", CLAIM);
    let fifo = Command::new("mkfifo").arg(tree.path("claims/f.yaml")).status().unwrap();
    assert!(fifo.success());
    tree.check(&["claims/a.yaml", "claims/f.yaml"], 2, &["claims/f.yaml is a named pipe"]);
    tree.check(&["/dev/zero"], 2, &["is a device"]);
    tree.check(&["claims"], 0, &["1 claim"]);
    tree.check(&["/dev/stdin"], 0, &["1 claim"]);
}

/// A claim under another name is one change, wherever it went; two services are two.
#[test]
fn a_claim_keeps_its_identity() {
    let claim = |name: &str, namespace: &str, stream: &str| {
        format!(
            "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: \
                {{name: {name}, namespace: {namespace}}}\nspec:\n  image: \
                registry.example.com/shop/{name}:1.4.2\n  nats: {{stream: {stream}, consumer: \
                {name}}}\n"
        )
    };
    let orders = claim("orders", "shop", "ORDERS");
    for (name, text, status, words) in [
        // In its file, in another one, both parts of the name, in a folder.
        (
            "claims/a.yaml",
            claim("orders2", "shop", "ORDERS"),
            1,
            &["EDS302", "shop/orders is now shop/orders2", "!EDS305", "1 error, 0 warnings"][..],
        ),
        (
            "claims/b.yaml",
            claim("orders2", "shop", "ORDERS"),
            1,
            &[
                "EDS302",
                "shop/orders is now shop/orders2",
                "claims/b.yaml",
                "claims/a.yaml",
                "!EDS305",
                "1 error, 0 warnings",
            ],
        ),
        (
            "claims/b.yaml",
            claim("orders", "prod", "ORDERS"),
            1,
            &["EDS302", "shop/orders is now prod/orders", "!EDS305", "1 error, 0 warnings"],
        ),
        ("x/b.json", claim("orders", "prod", "OTHER"), 1, &["EDS302", "!EDS305"]),
        (
            "claims/a.yaml",
            claim("orders2", "prod", "ORDERS"),
            1,
            &["EDS302", "prod/orders2", "1 error, 0 warnings"],
        ),
        // Another service.
        (
            "claims/a.yaml",
            claim("billing", "shop", "BILL"),
            0,
            &["EDS305", "shop/orders", "!EDS301", "!EDS302"],
        ),
        ("claims/b.yaml", claim("billing", "shop", "BILL"), 0, &["EDS305", "deleted", "!EDS302"]),
        // Moved: to where it is applied, and to where it is not.
        ("claims/b.yml", orders.clone(), 0, &["!EDS3", "moved from claims/a.yaml"]),
        (
            "docs/orders.txt",
            orders.clone(),
            1,
            &["EDS305", "claims/a.yaml", "docs/orders.txt", "1 error, 0 warnings"],
        ),
        ("docs/orders", orders.clone(), 1, &["EDS305", "1 error, 0 warnings"]),
        ("claims/a.yaml.off", orders.clone(), 1, &["EDS305", "1 error, 0 warnings"]),
        ("claims/a.YAML", orders.clone(), 1, &["EDS305", "1 error, 0 warnings"]),
    ] {
        let tree = Tree::new("identity");
        tree.write("claims/a.yaml", &orders)
            .write("claims/pay.yaml", claim("pay", "shop", "ORDERS"));
        let base = tree.start();
        fs::remove_file(tree.path("claims/a.yaml")).unwrap();
        tree.write(name, text);
        tree.commit();
        tree.check(&["--changed-since", &base], status, words);
    }
    // Several at once, each found by its most telling feature.
    let tree = Tree::new("several");
    tree.write("a.yaml", [claim("a", "shop", "S"), claim("b", "shop", "S")].join("---\n"));
    let base = tree.start();
    tree.write("a.yaml", "# moved\n")
        .write("b.yaml", [claim("b", "prod", "S"), claim("a", "prod", "S")].join("---\n"));
    tree.commit();
    tree.check(
        &["--changed-since", &base],
        1,
        &["shop/a is now prod/a", "shop/b is now prod/b", "2 errors, 0 warnings"],
    );
}

/// From a folder, each changed file is found once, and named so that annotations find it.
#[test]
fn from_a_folder() {
    let tree = Tree::new("folder");
    tree.write("claims/orders.yaml", CLAIM).write("x/y", "");
    let base = tree.start();
    tree.write("claims/orders.yaml", CLAIM.replace("name: hello-worker", "name: other"));
    tree.commit();
    tree.write("claims/new.yaml", CLAIM.replace("hello-worker:1.0.0", "Hello"));
    for folder in ["", "claims", "x", ".git/.."] {
        for (format, file) in
            [("github", "file=claims/orders.yaml"), ("sarif", "\"claims/orders.yaml\"")]
        {
            let mut eds = Command::new(env!("CARGO_BIN_EXE_eds"));
            eds.args(["validate", "--changed-since", &base, "--format", format]);
            let output = eds.current_dir(tree.path(folder)).output().unwrap();
            let out = String::from_utf8(output.stdout).unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("2 files, 2 claims"), "{folder}: {said}{out}");
            assert!(out.contains(file) && !out.contains("stands before"), "{folder}: {out}");
            assert!(!out.contains(&tree.path("").display().to_string()), "{folder}: {out}");
        }
    }
}

/// Claims where Kubernetes takes none, and other kinds under our own apiVersion.
#[test]
fn claims_out_of_place() {
    let item = CLAIM.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n  ");
    let list = format!("- {item}\n");
    let other = |kind: &str| {
        format!(
            "apiVersion: platform.bizmatters.io/v1alpha1\nkind: {kind}\nmetadata: {{name: \
                x}}\nspec: {{image: a:1}}\n"
        )
    };
    for (text, status, words) in [
        (list.clone(), 1, &["EDS010", "---", "1 error"][..]),
        (format!("items:\n{list}"), 1, &["EDS010", "kind: List", "1 error"]),
        (format!("apiVersion: v1\nitems:\n{list}"), 1, &["EDS010", "kind: List"]),
        (format!("kind: List\nitems:\n{list}"), 1, &["EDS010", "apiVersion: v1"]),
        (list.replace("EventDrivenService", "EventDrivenServices"), 1, &["EDS010"]),
        (other("Deployment"), 0, &["EDS011", "\"Deployment\"", "1 warning"]),
        (other("Worker"), 0, &["EDS011", "kind: EventDrivenService"]),
        ("- {apiVersion: v1, kind: ConfigMap}\n- a\n".to_owned(), 0, &["0 errors, 0 warnings"]),
        ("items: [a, {kind: b}]\n".to_owned(), 0, &["0 errors, 0 warnings"]),
    ] {
        let tree = Tree::new("place");
        tree.write("d/claim.yaml", CLAIM);
        let base = tree.start();
        tree.write("d/a.yaml", text);
        tree.check(&["d"], status, words);
        tree.commit();
        tree.check(&["--changed-since", &base], status, words);
    }
}

/// An overlay's patch is not an incomplete claim, but not a way around the check either.
#[test]
fn patches_of_kustomize() {
    let head = "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: \
        {name: hello-worker}\n";
    let patch = format!("{head}spec: {{size: large, scaling: {{minReplicas: 20}}}}\n");
    let named = "resources: [../..]\npatches: [{path: ./patch.yaml}]\n";
    for (kustomization, text, status, words) in [
        (named, patch.clone(), 0, &["1 patch of Kustomize", "0 errors, 0 warnings"][..]),
        ("patchesStrategicMerge: [patch.yaml]\n", patch.clone(), 0, &["1 patch of Kustomize"]),
        // Types, values and names of fields hold for a patch too.
        (named, patch.replace("large", "huge"), 1, &["EDS104", "!EDS102"]),
        (named, patch.replace("size", "sise"), 1, &["EDS103", "!EDS102"]),
        // What is complete, or a resource as well, is a claim.
        (named, CLAIM.to_owned(), 0, &["1 claim", "!patch of"]),
        (
            named,
            CLAIM.replace("hello-worker:1.0.0", "Hello"),
            1,
            &["1 claim", "!patch of", "EDS105"],
        ),
        ("resources: [patch.yaml]\npatches: [{path: patch.yaml}]\n", patch.clone(), 1, &["EDS102"]),
        ("resources: [patch.yaml]\n", patch.clone(), 1, &["EDS102"]),
        ("patches: [{path: other.yaml}, {patch: \"a: b\"}]\n", patch, 1, &["EDS102"]),
    ] {
        let tree = Tree::new("patches");
        tree.write("README.md", "x");
        let base = tree.start();
        tree.write("overlays/prod/kustomization.yaml", kustomization)
            .write("overlays/prod/patch.yaml", text);
        tree.check(&["overlays"], status, words);
        tree.commit();
        tree.check(&["--changed-since", &base], status, words);
    }
}

/// A claim that is gone without having been deleted: its text is kept where nobody looks, or a link
/// or a submodule has replaced it. A plain deletion is a warning.
#[test]
fn what_hides_a_claim() {
    type Step = fn(&Tree);
    type Case<'a> = (&'a str, Step, &'a [&'a str], i32, &'a [&'a str]);
    let table: [Case; 11] = [
        (
            "plain deletion",
            |_| {},
            &[],
            0,
            &["EDS305", "this file was deleted", "0 errors, 1 warning"],
        ),
        (
            "to another name",
            |t| {
                t.write("claims/a.txt", CLAIM);
            },
            &[],
            1,
            &["EDS305", "claims/a.txt"],
        ),
        (
            "to another name that a kustomization lists",
            |t| {
                t.write("claims/a.txt", CLAIM)
                    .write("claims/kustomization.yaml", "resources: [a.txt]\n");
            },
            &[],
            0,
            &["!EDS305", "moved from claims/a.yaml to claims/a.txt"],
        ),
        (
            "out of the watched folder",
            |t| {
                t.write("archive/a.yaml", CLAIM);
            },
            &["claims"],
            1,
            &["EDS305", "archive/a.yaml", "left out of this check", "1 error"],
        ),
        (
            "to where it is excluded",
            |t| {
                t.write("archive/b.yaml", CLAIM);
            },
            &["--exclude=/archive/"],
            1,
            &["EDS305", "archive/b.yaml", "1 error"],
        ),
        (
            "a link in its place",
            |t| {
                t.write("real/a.yaml", "a: b\n").link("claims/a.yaml", "../real/a.yaml");
            },
            &[],
            1,
            &["EDS305", "stands in this file's place", "EDS006"],
        ),
        (
            "a link to its text in its place",
            |t| {
                t.write("real/a.txt", CLAIM).link("claims/a.yaml", "../real/a.txt");
            },
            &[],
            1,
            &["EDS305", "EDS006"],
        ),
        (
            "a link out of the tree",
            |t| {
                t.link("claims/a.yaml", "/etc/passwd");
            },
            &[],
            1,
            &["EDS305", "EDS006"],
        ),
        (
            "a link in its folder's place",
            |t| {
                fs::remove_dir_all(t.path("claims")).unwrap();
                t.link("claims", "other");
            },
            &[],
            1,
            &["EDS305", "stands in this file's place", "EDS006"],
        ),
        (
            "a link that holds no claim",
            |t| {
                t.write("claims/a.yaml", CLAIM)
                    .write("AGENTS.md", "# x\n")
                    .link("CLAUDE.md", "AGENTS.md");
            },
            &[],
            0,
            &["EDS006", "CLAUDE.md", "0 errors, 1 warning"],
        ),
        (
            "a link to a folder that holds one",
            |t| {
                t.write("claims/a.yaml", CLAIM).link("live", "claims");
            },
            &[],
            1,
            &["EDS006", "live", "1 error"],
        ),
    ];
    for (name, step, args, status, words) in table {
        println!("{name}");
        let tree = Tree::new("hides");
        tree.write("claims/a.yaml", CLAIM).write("claims/README.md", "x");
        let base = tree.start();
        fs::remove_file(tree.path("claims/a.yaml")).unwrap();
        step(&tree);
        tree.commit();
        tree.check(&[&["--changed-since", base.as_str()], args].concat(), status, words);
    }
    // If a link or a submodule is gone, so is what was read under its name.
    let tree = Tree::new("unlinked");
    tree.write("real/a.yaml", CLAIM).link("claims", "real").write("b.md", "x").link("a.md", "b.md");
    let base = tree.start();
    fs::remove_file(tree.path("claims")).unwrap();
    fs::remove_file(tree.path("a.md")).unwrap();
    tree.commit();
    tree.check(&["--changed-since", &base], 0, &["EDS006", "is gone", "!a.md", "1 warning"]);
}

/// A shell expands patterns: a link named that way is not followed, just like one that is found.
#[test]
fn links_that_are_named() {
    let tree = Tree::new("named");
    let secret = "password: hunter2-of-a-file\n";
    fs::write(tree.outside("outside.yaml"), secret).unwrap();
    fs::create_dir(tree.outside("folder")).unwrap();
    fs::write(tree.outside("folder/x.yaml"), secret).unwrap();
    tree.write("claims/good.yaml", CLAIM);
    let base = tree.start();
    tree.link("claims/above", "../../folder").link("claims/also.yaml", "good.yaml");
    for name in [
        "a.yaml",
        "a b.yaml",
        "a[1].yaml",
        "$(id).yaml",
        "a'b\".yaml",
        "*.yaml",
        "-x.yaml",
        "a\nb.yaml",
    ] {
        let link = format!("claims/{name}");
        tree.link(&link, "../../outside.yaml");
        for against in [&[][..], &["--against", base.as_str()]] {
            let words = ["!hunter2-of", "was not followed", "1 claim"];
            tree.check(&[against, &["claims/good.yaml", &link]].concat(), 0, &words);
        }
        tree.check(&[&link], 2, &["!hunter2-of", "was not followed"]);
        fs::remove_file(tree.path(&link)).unwrap();
    }
    tree.check(
        &["claims/good.yaml", "claims/above/x.yaml"],
        0,
        &["!hunter2-of", "was not followed"],
    );
    tree.check(&["claims/also.yaml"], 0, &["1 claim"]);
}

/// What a sparse checkout leaves out is not deleted, and is checked as in the index.
#[test]
fn a_sparse_checkout() {
    let tree = Tree::new("sparse");
    let second = CLAIM.replace("hello-worker", "second-worker");
    tree.write("claims/a.yaml", CLAIM).write("other/b.yaml", &second).write("x/y", "");
    let base = tree.start();
    tree.write("x/y", "z");
    tree.commit();
    tree.git(&["sparse-checkout", "set", "--cone", "x"]);
    assert!(!tree.path("claims/a.yaml").exists());
    let since = ["--changed-since", base.as_str()];
    tree.check(&since, 0, &["!EDS305", "no claim changed"]);
    for path in ["claims", "claims/a.yaml", "."] {
        tree.check(&["--against", &base, path], 0, &["!EDS3", "0 warnings"]);
    }
    // What is changed, and what is deleted, is found all the same.
    tree.git(&["sparse-checkout", "disable"]);
    tree.write("claims/a.yaml", CLAIM.replace("hello-worker:1.0.0", "hello-worker:2.0.0"));
    fs::remove_file(tree.path("other/b.yaml")).unwrap();
    tree.commit();
    tree.git(&["sparse-checkout", "set", "--cone", "x"]);
    tree.check(&since, 0, &["EDS301", "claims/a.yaml", "EDS305", "other/b.yaml", "2 warnings"]);
    tree.check(
        &["--against", &base, "claims", "other/b.yaml"],
        0,
        &["EDS301", "EDS305", "2 warnings"],
    );
    // Nothing was checked out at all.
    let clone = Tree::new("bare");
    let url = format!("file://{}", tree.path("").display());
    tree.git(&["clone", "--quiet", "--no-checkout", &url, &clone.path("").display().to_string()]);
    clone.check(&["--changed-since", &base], 0, &["EDS301", "EDS305", "2 warnings"]);
}

/// What a new claim says about how Crossplane treats it, and a service that may sleep from now on.
#[test]
fn beginnings_and_sleep() {
    let with = |metadata: &str, spec: &str| {
        let claim = CLAIM.replace("hello-worker", "new-worker");
        claim
            .replace("  namespace:", &format!("{metadata}  namespace:"))
            .replace("spec:\n", &format!("spec:\n{spec}"))
    };
    for (text, words) in [
        (
            with(
                "",
                "  resourceRef: {apiVersion: platform.bizmatters.io/v1alpha1, kind: \
                    XEventDrivenService, name: x}\n",
            ),
            "EDS307",
        ),
        (with("  annotations: {crossplane.io/paused: \"true\"}\n", ""), "EDS307"),
        (with("  annotations: {crossplane.io/external-name: x}\n", ""), "EDS307"),
        (with("", ""), "0 errors, 0 warnings"),
        (with("", "  scaling: {minReplicas: 0}\n"), "0 errors, 0 warnings"),
        (CLAIM.replace("spec:\n", "spec:\n  scaling: {minReplicas: 0}\n"), "EDS309"),
    ] {
        let tree = Tree::new("beginnings");
        tree.write("claims/a.yaml", CLAIM);
        let base = tree.start();
        let name = if text.contains("new-worker") { "claims/b.yaml" } else { "claims/a.yaml" };
        tree.write(name, text);
        tree.commit();
        tree.check(&["--changed-since", &base], 0, &[words]);
        tree.check(&["--against", &base, "claims"], 0, &[words]);
    }
}

/// What a kustomization makes of claims is treated like a change to a claim, at the kustomization's
/// line.
#[test]
fn kustomizations_change_claims() {
    let claim = |name: &str| {
        format!(
            "apiVersion: platform.bizmatters.io/v1alpha1\nkind: EventDrivenService\nmetadata: \
                {{name: {name}, namespace: shop{more}}}\nspec:\n  image: \
                registry.example.com/shop/{name}:1.4.2\n  nats: {{stream: S, consumer: {name}}}\n",
            more = if name == "orders" { ", labels: {team: shop}" } else { "" },
        )
    };
    let base_says = "resources:\n- orders.yaml\n- pay.yaml\n";
    let over = "resources: [../../base]\nnamespace: prod\n";
    let component = "kind: Component\nresources: [../extra]\n";
    const BASE: &str = "base/kustomization.yaml";
    const PROD: &str = "overlays/prod/kustomization.yaml";
    let base = |more: &str| format!("{base_says}{more}");
    let prod = |more: &str| format!("{over}{more}");
    let patch = |target: &str, body: &str| {
        format!("{over}patches:\n- target: {{{target}}}\n  patch: |-\n    {body}\n")
    };
    let own = "kind: EventDrivenService";
    let named = |body: &str| {
        format!(
            "{over}patches:\n- patch: |-\n    apiVersion: platform.bizmatters.io/v1alpha1\n    \
                kind: EventDrivenService\n    metadata: {{name: orders}}\n    {body}\n"
        )
    };
    let gone = "";
    for (file, text, status, words) in [
        // Names.
        (
            PROD,
            over.replace("prod", "live"),
            1,
            &[
                "overlays/prod/kustomization.yaml:2:1",
                "EDS302",
                "prod/orders is now live/orders",
                "2 errors, 0 warnings",
            ][..],
        ),
        (
            PROD,
            over.replace("namespace: prod\n", ""),
            1,
            &["EDS302", "prod/pay is now shop/pay", "2 errors, 0 warnings"],
        ),
        (
            PROD,
            prod("namePrefix: eu-\n"),
            1,
            &["kustomization.yaml:3:1", "EDS302", "prod/orders is now prod/eu-orders", "2 errors"],
        ),
        (PROD, prod("nameSuffix: -v2\n"), 1, &["EDS302", "prod/orders-v2", "2 errors"]),
        (
            BASE,
            base("namePrefix: eu-\n"),
            1,
            &["base/kustomization.yaml:4:1", "EDS302", "prod/eu-orders", "2 errors"],
        ),
        // What the overlay says anyway.
        (BASE, base("namespace: other\n"), 0, &["0 errors, 0 warnings"]),
        // Dropped.
        (
            BASE,
            base_says.replace("- pay.yaml\n", ""),
            0,
            &["base/kustomization.yaml:1:1", "EDS305", "prod/pay", "0 errors, 1 warning"],
        ),
        (
            PROD,
            "resources: []\nnamespace: prod\n".into(),
            0,
            &["overlays/prod/kustomization.yaml:1:1", "EDS305", "2 warnings"],
        ),
        (PROD, "bases: [../../base]\nnamespace: prod\n".into(), 0, &["0 errors, 0 warnings"]),
        (PROD, prod("components: []\n"), 0, &["0 errors, 0 warnings"]),
        (
            "overlays/test/kustomization.yaml",
            "resources: [../../base]\n".into(),
            0,
            &["EDS305", "shop/late", "1 warning"],
        ),
        (
            "parts/late/kustomization.yaml",
            "kind: Component\n".into(),
            0,
            &["parts/late/kustomization.yaml", "EDS305", "shop/late", "1 warning"],
        ),
        (BASE, gone.into(), 0, &["base/kustomization.yaml", "EDS305", "2 warnings"]),
        (
            PROD,
            patch(own, "{apiVersion: v1, kind: x, metadata: {name: x}, $patch: delete}"),
            0,
            &["EDS305", "2 warnings"],
        ),
        // What the claim's own file warns about.
        (
            PROD,
            prod("commonAnnotations: {crossplane.io/paused: \"true\"}\n"),
            0,
            &["kustomization.yaml:3:1", "EDS307", "prod/orders", "2 warnings"],
        ),
        (
            PROD,
            prod("commonAnnotations: {a: b}\ncommonLabels: {a: b}\nlabels: [{pairs: {c: d}}]\n"),
            0,
            &["0 errors, 0 warnings"],
        ),
        (
            PROD,
            prod("images: [{name: x, newTag: y}]\nreplicas: [{name: orders, count: 3}]\n"),
            0,
            &["0 errors, 0 warnings"],
        ),
        (
            PROD,
            named("spec: {resourceRef: {apiVersion: a/v1, kind: X, name: x}}"),
            0,
            &["kustomization.yaml:3:1", "EDS307", "resourceRef", "1 warning"],
        ),
        (PROD, named("spec: {scaling: {minReplicas: 0}}"), 0, &["EDS309", "1 warning"]),
        (PROD, named("spec: {scaling: {maxReplicas: 2}}"), 0, &["EDS303", "1 warning"]),
        (PROD, named("spec: {nats: {consumer: x}}"), 0, &["EDS301", "EDS308", "2 warnings"]),
        (
            PROD,
            patch(own, "[{op: add, path: /spec/compositionRef, value: {name: x}}]"),
            0,
            &["EDS306", "2 warnings"],
        ),
        (
            PROD,
            patch("name: ord.*", "[{op: replace, path: /metadata/name, value: x}]"),
            1,
            &["EDS302", "prod/x", "1 error, 0 warnings"],
        ),
        (
            PROD,
            patch("kind: Deployment", "[{op: replace, path: /metadata/name, value: x}]"),
            0,
            &["0 errors, 0 warnings"],
        ),
        (
            "overlays/prod/own.yaml",
            "- {op: add, path: /metadata/annotations, value: {crossplane.io/external-name: x}}\n"
                .into(),
            0,
            &["overlays/prod/kustomization.yaml", "EDS307", "2 warnings"],
        ),
        // Selectors of patches.
        (
            PROD,
            patch(
                "kind: EventDrivenService, labelSelector: \"team in (shop)\"",
                "[{op: replace, path: /metadata/name, value: x}]",
            ),
            1,
            &["EDS302", "prod/x", "1 error, 0 warnings"],
        ),
        (
            PROD,
            patch(
                "kind: EventDrivenService, annotationSelector: a=b",
                "[{op: replace, path: /metadata/name, value: x}]",
            ),
            0,
            &["0 errors, 0 warnings"],
        ),
        // The result is not a claim that the API accepts.
        (
            PROD,
            named("spec: {size: huge}"),
            1,
            &["kustomization.yaml:3:1", "EDS104", "in claim prod/orders, spec.size", "1 error, "],
        ),
        (
            PROD,
            patch(own, "[{op: remove, path: /spec/nats}]"),
            1,
            &["EDS102", "in claim prod/pay, spec.nats is required", "2 errors"],
        ),
        (
            PROD,
            prod("namePrefix: Eu-\n"),
            1,
            &["kustomization.yaml:3:1", "EDS302", "EDS113", "4 errors, 0 warnings"],
        ),
        // Objects given to a claim.
        (
            PROD,
            prod("commonAnnotations: {platform.bizmatters.io/adopt: prod/orders}\n"),
            0,
            &[
                "kustomization.yaml:3:1",
                "EDS307",
                "claim prod/orders may take them over",
                "1 warning",
            ],
        ),
        // What cannot be read.
        (
            PROD,
            format!("{over}patches: [\n"),
            1,
            &[
                "overlays/prod/kustomization.yaml:4:1",
                "EDS006",
                "cannot be read",
                "1 error, 0 warnings",
            ],
        ),
        // What is not followed.
        (
            PROD,
            prod("transformers: [x.yaml]\n"),
            0,
            &["kustomization.yaml:3:1", "EDS006", "transformers", "1 warning"],
        ),
        (
            PROD,
            over.replace("base]", "base, https://example.com/x]"),
            0,
            &["EDS006", "https://example.com/x", "1 warning"],
        ),
        // Another name for the kustomization, a new overlay.
        (
            "overlays/new/kustomization.yaml",
            "resources: [../../base]\nnamePrefix: x-\n".into(),
            0,
            &["0 errors, 0 warnings"],
        ),
        (
            "plain/kustomization.yaml",
            "resources: [a.yaml]\nnamePrefix: x-\n".into(),
            1,
            &[
                "plain/kustomization.yaml:2:1",
                "EDS302",
                "shop/x-a",
                "EDS305",
                "shop/b",
                "1 error, 1 warning",
            ],
        ),
    ] {
        println!("{file}\n{text}");
        let tree = Tree::new("kustomize");
        tree.write("base/orders.yaml", claim("orders"))
            .write("base/pay.yaml", claim("pay"))
            .write(BASE, base_says)
            .write("plain/a.yaml", claim("a"))
            .write("plain/b.yaml", claim("b"))
            .write("overlays/test/kustomization.yaml", "components: [../../parts/late]\n")
            .write("parts/late/kustomization.yaml", component)
            .write("parts/extra/kustomization.yaml", "resources: [late.yaml]\n")
            .write("parts/extra/late.yaml", claim("late"))
            .write("overlays/prod/own.yaml", "[]\n")
            .write(
                PROD,
                if file.ends_with("own.yaml") {
                    prod("patches: [{path: own.yaml, target: {kind: EventDrivenService}}]\n")
                } else {
                    over.to_owned()
                },
            );
        let before = tree.start();
        match text.is_empty() {
            true => fs::remove_file(tree.path(file)).unwrap(),
            false => {
                tree.write(file, text);
            }
        }
        tree.check(&["--against", &before, "."], status, words);
        tree.commit();
        tree.check(&["--changed-since", &before], status, words);
    }
    // An overlay that moved, with or without changing the namespace.
    for (namespace, status, words) in [
        ("prod", 0, &["0 errors, 0 warnings"][..]),
        (
            "live",
            1,
            &[
                "overlays/live/kustomization.yaml:2:1",
                "EDS302",
                "prod/orders is now live/orders",
                "2 errors, 0 warnings",
            ],
        ),
    ] {
        let tree = Tree::new("overlay-moved");
        tree.write("base/orders.yaml", claim("orders"))
            .write("base/pay.yaml", claim("pay"))
            .write(BASE, base_says)
            .write(PROD, over);
        let before = tree.start();
        fs::remove_file(tree.path(PROD)).unwrap();
        tree.write("overlays/live/kustomization.yaml", over.replace("prod", namespace));
        tree.check(&["--against", &before, "."], status, words);
        tree.commit();
        tree.check(&["--changed-since", &before], status, words);
    }
    // Moved to a file that the kustomization does not include, or includes.
    for (says, words) in [
        ("resources: [orders.yaml]\n", &["EDS305", "shop/pay", "base/kustomization.yaml:1:1"][..]),
        ("resources: [orders.yaml, new.yaml]\n", &["0 errors, 0 warnings"]),
        ("resources: [orders.yaml, ../other/new.yaml]\n", &["EDS305"]),
    ] {
        let tree = Tree::new("kustomize-moved");
        tree.write("base/orders.yaml", claim("orders"))
            .write("base/pay.yaml", claim("pay"))
            .write(BASE, base_says);
        let before = tree.start();
        fs::remove_file(tree.path("base/pay.yaml")).unwrap();
        tree.write("base/new.yaml", claim("pay")).write(BASE, says);
        tree.commit();
        for format in ["text", "github"] {
            let words: &[&str] = if format == "text" { words } else { &[] };
            tree.check(&["--changed-since", &before, "--format", format], 0, words);
        }
    }
    // A new claim in a folder with a kustomization that pauses it; kustomizations that include each
    // other.
    let tree = Tree::new("kustomize-new");
    tree.write("a/kustomization.yaml", "resources: [../b, x.yaml]\n")
        .write("b/kustomization.yaml", "resources: [../a]\n")
        .write(
            "c/kustomization.yaml",
            "resources: [../a, ../b, x.yaml]\ncommonAnnotations: {crossplane.io/paused: \
                \"true\"}\n",
        )
        .write("a/x.yaml", claim("a"));
    let before = tree.start();
    tree.write(
        "c/kustomization.yaml",
        "resources: [x.yaml]\ncommonAnnotations: {crossplane.io/paused: \"true\"}\n",
    )
    .write("c/x.yaml", claim("c"));
    tree.commit();
    tree.check(&["--changed-since", &before], 0, &["EDS307", "shop/c", "c/kustomization.yaml:2:1"]);
}
