//! What this test cannot run itself, and what does instead.

/// A command that only a cluster, or another tool, can try.
pub(crate) struct Held {
    /// How it begins.
    begin: &'static str,
    /// What runs it.
    pub(crate) proof: &'static str,
}

const fn held_by(begin: &'static str, proof: &'static str) -> Held {
    Held { begin, proof }
}

/// What this test runs itself.
pub(crate) const HERE: &[&str] = &["eds ", "diff "];
/// Those for which exit status 1 is not a failure.
pub(crate) const ANSWERS: &[&str] = &["eds adopt ", "eds diff "];
/// What carries out the steps of the migration page.
pub(crate) const STEPS: &str = "e2e/src/proofs/migration.rs";

/// What types the other commands as shown on the pages.
pub(crate) const GUIDE: &str = "e2e/src/proofs/guide/mod.rs";

const HELD: &[Held] = &[
    held_by("kubectl apply -f orders-claim.yaml", GUIDE),
    held_by("kubectl -n shop wait --for=condition=Ready", GUIDE),
    held_by("kubectl -n shop get eds", GUIDE),
    held_by("eds doctor shop/orders", GUIDE),
    held_by("target/release/eds ", "crates/eds-cli/tests/readme.rs"),
    held_by("make ", ".ci/run"),
    held_by("sudo make checkpoints", "testbed/test"),
    held_by("cargo build --release --bin eds", ".ci/run"),
    held_by("kubectl kustomize platform/04-apis", ".ci/run"),
    held_by("sudo testbed/test --install", ".ci/run"),
    held_by("kubectl get eds agent-executor", STEPS),
    held_by("eds migrate --to ", "e2e/src/proofs/namespaced_migration.rs"),
    held_by("eds doctor intelligence-deepagents/agent-executor", STEPS),
];

pub(crate) fn held(command: &str) -> Option<&'static Held> {
    HELD.iter().find(|held| command.starts_with(held.begin))
}

/// Blocks that are neither commands nor YAML: how they begin, and why that is enough.
pub(crate) const BLOCKS: &[(&str, &str, &str)] = &[
    (
        "lua",
        "vim.lsp.config('yamlls', {",
        "Neovim is not run here; the server that it starts is asked by \
            platform/04-apis/tests/editor.test.mjs",
    ),
    (
        "sh",
        "NAMESPACE=intelligence-deepagents",
        "names for the steps below, as testbed/proofs/migration sets its own",
    ),
    (
        "sh",
        "sha256sum --check",
        "nothing is published yet; scripts/release-publish.sh makes what these commands verify",
    ),
    (
        "text",
        "nothing is composed: ServiceAccount orders and Service orders",
        "crates/eds-core/tests/event_driven_service/ownership.rs holds the sentence, \
            testbed/proofs/ownership reads it",
    ),
];

/// Other objects that the pages show.
pub(crate) const KINDS: &[&str] = &["Secret", "ExternalSecret"];

/// What the picture of `eds validate` makes of the first page's claim.
pub(crate) const MISTAKES: (&str, &str) = ("  size: small\n", "  size: smal\n  replicas: 3\n");

/// Pictures of a terminal: the file, and the command, or what was recorded.
pub(crate) const PICTURES: &[(&str, &str)] = &[
    ("validate.svg", "eds validate orders-claim.yaml"),
    ("doctor.svg", "recorded guide/doctor.ansi"),
];
