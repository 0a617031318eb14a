//! Which form of the API a command's files are for.

use clap::ValueEnum;
use eds_core::form::Form;

/// The option, for commands that read claims without asking a cluster.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct FormArgs {
    /// The form of the API that the cluster has, if no XRD is given.
    #[arg(long, value_enum, env = "EDS_FORM", default_value_t = Choice::Claims)]
    form: Choice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Claims, with cluster-scoped composites behind them (platform/04-apis).
    Claims,
    /// Composites in their own namespaces (platform/04-apis/overlays/namespaced).
    Namespaced,
}

impl FormArgs {
    pub(crate) const fn form(self) -> Form {
        match self.form {
            Choice::Claims => Form::Claims,
            Choice::Namespaced => Form::Namespaced,
        }
    }
}
