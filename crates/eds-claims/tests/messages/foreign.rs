//! Files that are not manifests at all: one finding that says what they are.

use super::findings;

const CLAIM: &str = "apiVersion: platform.bizmatters.io/v1alpha1\nkind: \
    EventDrivenService\nmetadata:\n  name: orders\nspec:\n  image: a/b:1\n  nats: {stream: S, \
    consumer: c}\n";

/// Expects the line and column, part of the message, and part of the help.
#[track_caller]
fn check(text: &str, place: (usize, usize), cause: &str, fix: &str) {
    let found = findings(text);
    let said: Vec<_> = found.iter().map(|f| (f.span.start, &f.message, &f.help)).collect();
    let [only] = found.as_slice() else { panic!("{text}\n{said:#?}") };
    assert_eq!((only.span.start.line, only.span.start.column), place, "{text}\n{said:#?}");
    assert!(only.message.contains(cause), "{text}\n{said:#?}");
    assert!(only.help.as_deref().unwrap_or_default().contains(fix), "{text}\n{said:#?}");
}

/// Puts something before each line of the claim, with its number.
fn lines(each: impl Fn(usize, &str) -> String) -> String {
    CLAIM.lines().enumerate().map(|(i, line)| each(i + 1, line) + "\n").collect()
}

#[test]
fn what_a_file_is_that_is_no_manifest() {
    let patch = "as in a patch";
    let number = "a number stands before each line";
    let base64 = "YXBpVmVyc2lvbjogcGxhdGZvcm0uYml6bWF0dGVycy5pby92MWFscGhhMQ\
        praW5kOiBFdmVudERyaXZlblNlcnZpY2UK";
    for (text, place, cause, fix) in [
        (lines(|_, line| format!("+{line}")), (1, 1), patch, "remove the first character"),
        (
            lines(|i, line| format!("{}{line}", if i < 4 { ' ' } else { '+' })),
            (4, 1),
            patch,
            "remove the first character",
        ),
        (lines(|i, line| format!("{i:>3}  {line}")), (1, 3), number, "remove the numbers"),
        (lines(|i, line| format!("{i}: {line}")), (1, 1), number, "remove the numbers"),
        (lines(|_, line| format!("> {line}")), (1, 1), "quoted as in mail", "remove the >"),
        (
            format!("kubectl apply -f - <<EOF\n{CLAIM}EOF\n"),
            (1, 1),
            "command of a shell",
            "between this",
        ),
        ("<!DOCTYPE html><html><body>404</body></html>\n".into(), (1, 1), "HTML", "Raw"),
        (
            "NAME     READY   STATUS\norders   1/1     Running\n".into(),
            (1, 1),
            "kubectl printed",
            "-o yaml",
        ),
        (format!("{base64}\n"), (1, 1), "base64", "base64 -d"),
        (
            "kind = \"EventDrivenService\"\nname = \"orders\"\n".into(),
            (1, 1),
            "TOML",
            "write key: value",
        ),
        (
            "DATABASE_URL=postgres\nLOG_LEVEL=info\n".into(),
            (1, 1),
            "file of variables",
            "write key: value",
        ),
        (
            "resource \"kubernetes_manifest\" \"orders\" {\n  kind = \"EventDrivenService\"\n}\n"
                .into(),
            (1, 1),
            "Terraform",
            "check the manifest",
        ),
        (
            "- op: replace\n  path: /spec/size\n  value: huge\n".into(),
            (1, 1),
            "JSON patch",
            "kustomization",
        ),
        (
            "{apiVersion:\"platform.bizmatters.io/v1alpha1\",kind:\"EventDrivenService\"}\n".into(),
            (1, 2),
            "no quotes",
            "write \"apiVersion\":",
        ),
        (format!("---\n\u{feff}{CLAIM}"), (2, 1), "a byte order mark (U+FEFF)", "write apiVersion"),
        (CLAIM.replace('\n', "\r"), (1, 1), "a carriage return alone", "line feeds"),
        ("hello\n".into(), (1, 1), "a mapping with apiVersion", "begins with apiVersion"),
    ] {
        check(&text, place, cause, fix);
    }
}

/// What only begins like one is read as what it is.
#[test]
fn what_is_a_manifest() {
    for text in [
        CLAIM.replace("a/b:1", "a/b:1 # + 1"),
        format!("# NAME READY\n{CLAIM}"),
        CLAIM.replace("spec:", "spec:\n  env:\n  - name: A\n    value: |\n      +a\n      +b"),
    ] {
        assert_eq!(findings(&text).len(), 0, "{text}");
    }
}
